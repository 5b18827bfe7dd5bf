// Package lab is what every measurement stands on: binaries built once, processes started on a processor of their own,
// what the kernel says they used, rounds that are refused when the hypervisor took the processor away, and Weir set up
// with everything on that a call passes. It judges nothing: bars are in bench/cases.
//
// It runs on Linux. Every process that it starts ends with it: they watch their standard input.
package lab

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the kernel's unit of processor time: USER_HZ is 100 on every Linux that Go runs on.
const tick = 10 * time.Millisecond

// parseStat reads user and system time, all threads, from the text of /proc/PID/stat.
func parseStat(text string) (time.Duration, error) {
	i := strings.LastIndexByte(text, ')') // the name before it may hold anything
	if i < 0 {
		return 0, fmt.Errorf("process stat without a name: %.40q", text)
	}
	const user, system = 11, 12 // of the fields after the name
	f := strings.Fields(text[i+1:])
	if len(f) <= system {
		return 0, fmt.Errorf("process stat with %d fields", len(f))
	}
	var sum int64
	for _, s := range []string{f[user], f[system]} {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("process stat: %w", err)
		}
		sum += n
	}
	return time.Duration(sum) * tick, nil
}

// Machine is what the processors did since the machine started: work, and waiting for the hypervisor.
type Machine struct{ Busy, Steal time.Duration }

// parseMachine reads the first line of /proc/stat.
func parseMachine(text string) (Machine, error) {
	line, _, _ := strings.Cut(text, "\n")
	f := strings.Fields(line)
	if len(f) < 9 || f[0] != "cpu" {
		return Machine{}, fmt.Errorf("machine stat %.80q", line)
	}
	var n [9]time.Duration
	for i := 1; i < 9; i++ {
		v, err := strconv.ParseInt(f[i], 10, 64)
		if err != nil {
			return Machine{}, fmt.Errorf("machine stat: %w", err)
		}
		n[i] = time.Duration(v) * tick
	}
	// user, nice, system, (idle, iowait,) irq, softirq; then steal
	return Machine{Busy: n[1] + n[2] + n[3] + n[6] + n[7], Steal: n[8]}, nil
}

// parseKB reads a field such as VmRSS of a file in the form of /proc/PID/status, in bytes.
func parseKB(text []byte, field string) (int64, error) {
	for line := range bytes.Lines(text) {
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok || string(name) != field {
			continue
		}
		kb, unit, _ := strings.Cut(string(bytes.TrimSpace(value)), " ")
		n, err := strconv.ParseInt(kb, 10, 64)
		if err != nil || unit != "kB" {
			return 0, fmt.Errorf("%s is %q, not a size in kB", field, value)
		}
		return n << 10, nil
	}
	return 0, fmt.Errorf("no field %s", field)
}

// CPU is the processor time that a process has used.
func CPU(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	return parseStat(string(b))
}

// Now is what the machine has done up to now.
func Now() (Machine, error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return Machine{}, err
	}
	return parseMachine(string(b))
}

// RSS is the resident memory of a process in bytes.
func RSS(pid int) (int64, error) { return status(pid, "VmRSS") }

// PeakRSS is the most resident memory since the start.
func PeakRSS(pid int) (int64, error) { return status(pid, "VmHWM") }

func status(pid int, field string) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	return parseKB(b, field)
}

// PSS is the resident memory of a process in bytes, shared pages counted in part; RSS where the kernel does not tell.
func PSS(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission) {
		return RSS(pid)
	}
	if err != nil {
		return 0, err
	}
	return parseKB(b, "Pss")
}
