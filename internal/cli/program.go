package cli

import (
	"os"
	"strings"
)

// program is how the reader calls weir: by go run a binary lies in a folder of the build and is gone afterwards.
func program() string {
	path, err := os.Executable()
	if err == nil && strings.Contains(path, "go-build") {
		return "go run ./cmd/weir"
	}
	return "weir"
}
