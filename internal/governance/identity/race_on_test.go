//go:build race

package identity

// raceDetector is on: sync.Pool then drops what it holds at random, so allocations cannot be counted.
const raceDetector = true
