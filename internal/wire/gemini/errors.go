package gemini

import (
	"net/http"

	"github.com/weirhq/weir/internal/llm"
	"github.com/weirhq/weir/internal/wire"
)

// Error reads a provider's error answer.
func (b Back) Error(status int, header http.Header, body []byte) *llm.Error {
	return wire.ReadError(status, header, body, b.Now)
}
