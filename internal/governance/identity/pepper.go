package identity

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/weirhq/weir/internal/llm"
)

const pepperLen = 32

// Pepper reads the server-side secret under which keys are hashed, and makes it on first use: 32 random bytes in a file
// that only its owner may read. Losing the file makes every key useless. Safe when several processes start at once. The
// error for a file that others may read, or of another length, is an *llm.Error.
func Pepper(path string, random io.Reader) ([]byte, error) {
	b, err := readPepper(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return b, err
	}
	if err := makePepper(path, random); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make key pepper: %w", err)
	}
	return readPepper(path)
}

func readPepper(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("key pepper: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, &llm.Error{
			Code: llm.CodeInternal, Message: fmt.Sprintf("others may read the key pepper %s (mode %04o)", path, mode),
			Hint: "chmod 600 " + path,
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("key pepper: %w", err)
	}
	if len(b) != pepperLen {
		return nil, &llm.Error{
			Code: llm.CodeInternal, Message: fmt.Sprintf("the key pepper %s has %d bytes, want %d", path, len(b), pepperLen),
			Hint: "restore it from a backup; without it every key must be made again",
		}
	}
	return b, nil
}

// makePepper writes the whole file under another name first: whoever sees it at path sees all of it.
func makePepper(path string, random io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	b := make([]byte, pepperLen)
	if _, err := io.ReadFull(random, b); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".pepper-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // after the link only the temporary name goes
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Link(f.Name(), path)
}
