// Package upstream sends ONE wire attempt to a provider endpoint and hands back the answer as it begins to arrive. It
// is for the way of one attempt: credentials, connection pool, timeouts, cancellation, HTTP framing. It is not for
// retries, fallbacks or health (the cascade's), not for dialects (wire's), and follows no redirect.
//
// There are two senders behind the same methods. Client is a lean HTTP/1.1 client: no goroutine per call or per
// connection, one write for a small request, buffers only while a call runs. Std does the same over net/http's
// Transport, for providers that speak only HTTP/2, and as the yardstick. One conformance suite runs over both.
//
// Invariants:
//   - A request is written at most once. LLM calls are not idempotent and cost money, so a connection that dies is
//     never answered by a silent second try. In place of that, Client looks at an idle connection before it reuses it
//     (a non-blocking peek): one that has ended, or holds bytes nobody asked for, is closed and another is taken. What
//     is left of the race ends as an error that the cascade may retry under its attempt budget. A connection from a
//     handed-in Dial that is no syscall.Conn, or on a system without the peek, is taken as alive.
//   - A body that ends early is an error that wraps io.ErrUnexpectedEOF, never a clean io.EOF.
//   - A connection is reused only after its answer has been read to the end, and nothing followed it.
//   - When the context of a send ends, the socket is closed at once, also in the middle of a read or write.
//   - Answers that two readers could frame differently (both length and chunked, differing lengths, bare line feeds in
//     the head or chunk lines) are refused.
//   - A credential is written to the connection and nowhere else.
//
// Errors are *llm.Error: CodeTimeout for the three timeouts and the call's deadline, CodeOverload when every
// connection allowed is busy, CodeInvalid for a header or path that must not be sent, CodeUpstream for the rest.
// After a cancellation errors.Is(err, context.Canceled) holds.
//
// Proxies: HTTPS_PROXY and its kin are not honoured, since the only outbound hosts are those configured. Whoever needs
// a proxy points a provider's URL at it.
package upstream
