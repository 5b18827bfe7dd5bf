package rawhttp

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// maxBody bounds a request's body.
const maxBody = 128 << 20

// ReadBody reads one request from a connection and returns its body, which is built in buf. io.EOF = the client closed
// between requests.
func ReadBody(r *bufio.Reader, buf []byte) ([]byte, error) {
	length, chunked := int64(0), false
	for first := true; ; first = false {
		line, err := r.ReadSlice('\n')
		if err != nil {
			if first && len(line) == 0 {
				return nil, io.EOF
			}
			return nil, fmt.Errorf("read the head: %w", err)
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		n, c, _, err := framing(line)
		if err != nil {
			return nil, err
		}
		length, chunked = max(length, n), chunked || c
	}
	if chunked {
		return readChunks(r, buf[:0])
	}
	return readN(r, buf[:0], length)
}

func readN(r *bufio.Reader, buf []byte, n int64) ([]byte, error) {
	if n < 0 || n > maxBody-int64(len(buf)) {
		return nil, errors.New("the body is too large")
	}
	from := len(buf)
	if need := from + int(n); need > cap(buf) {
		buf = append(make([]byte, 0, need), buf...)
	}
	buf = buf[:from+int(n)]
	_, err := io.ReadFull(r, buf[from:])
	return buf, err
}

func readChunks(r *bufio.Reader, buf []byte) ([]byte, error) {
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return nil, fmt.Errorf("read a chunk's size: %w", err)
		}
		n, err := strconv.ParseInt(string(bytes.TrimRight(line, "\r\n")), 16, 63)
		if err != nil {
			return nil, fmt.Errorf("chunk size: %w", err)
		}
		if buf, err = readN(r, buf, n); err != nil {
			return nil, err
		}
		if _, err := r.Discard(len(lineEnd)); err != nil {
			return nil, err
		}
		if n == 0 {
			return buf, nil
		}
	}
}
