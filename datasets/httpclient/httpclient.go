// Package httpclient makes the HTTP client with which the program talks to hubs and judges, and decides where a key may
// be sent.
//
// A client does not wait for a server without end: connecting, the TLS handshake and the header of an answer have time
// limits. Stall limits the time without a byte of an answer's body. A key is sent to the server that it is meant for
// and to no other: a redirection to another scheme, host or port loses it.
//
// The package imports nothing of this module.
package httpclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Limits of every request.
const (
	connectLimit = 20 * time.Second
	// HeaderLimit is the usual time from a request to the header of its answer.
	HeaderLimit = 30 * time.Second
	// maxRedirects is the largest number of redirections of one request.
	maxRedirects = 10
)

// New returns a client that waits at most headerLimit for the header of an answer (0: HeaderLimit).
func New(headerLimit time.Duration) *http.Client {
	if headerLimit == 0 {
		headerLimit = HeaderLimit
	}
	dialer := &net.Dialer{Timeout: connectLimit, KeepAlive: 30 * time.Second}
	return &http.Client{
		CheckRedirect: checkRedirect,
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, ForceAttemptHTTP2: true,
			MaxIdleConns: 100, IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: connectLimit,
			ExpectContinueTimeout: time.Second, ResponseHeaderTimeout: headerLimit,
		},
	}
}

// credentials are the header fields that a redirection to another server loses.
func credentials() []string {
	return []string{"Authorization", "X-Goog-Api-Key", "Cookie", "Proxy-Authorization", "Www-Authenticate"}
}

// checkRedirect follows a redirection, without the keys of the first request once any step on the way led to another
// scheme, host or port. An encrypted answer does not lead to a connection that is not.
func checkRedirect(request *http.Request, via []*http.Request) error {
	switch {
	case len(via) >= maxRedirects:
		return fmt.Errorf("more than %d redirections", maxRedirects)
	case via[len(via)-1].URL.Scheme == "https" && request.URL.Scheme != "https":
		return fmt.Errorf("a redirection leads from https to %s", request.URL.Scheme)
	}
	first := originOf(via[0].URL)
	for _, r := range append(via[1:len(via):len(via)], request) {
		if originOf(r.URL) != first {
			for _, field := range credentials() {
				request.Header.Del(field)
			}
			break
		}
	}
	return nil
}

// originOf returns scheme, host and port of an address, with the usual port where it names none.
func originOf(address *url.URL) string {
	port := address.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[address.Scheme]
	}
	return address.Scheme + "://" + strings.ToLower(address.Hostname()) + ":" + port
}

// CheckKey refuses a key that cannot be part of a header, such as one with the end of a line, which some editors and
// shells leave there. source is where the key comes from, for instance the name of an environment variable. The error
// does not contain the key.
func CheckKey(source, key string) error {
	for i, c := range []byte(key) {
		switch {
		case c == '\r' || c == '\n':
			return fmt.Errorf("%s contains the end of a line (character %d of %d): set it without", source, i+1, len(key))
		case c == ' ' || c == '\t':
			return fmt.Errorf("%s contains a blank (character %d of %d): set it without", source, i+1, len(key))
		case c < ' ' || c > '~':
			return fmt.Errorf("%s contains a character that no key has (character %d of %d)", source, i+1, len(key))
		}
	}
	return nil
}

// CheckAddress refuses to send the key from source to an address over a connection that others can read: anything but
// https, apart from this machine.
func CheckAddress(source string, address *url.URL) error {
	if address.Scheme == "https" || isLoopback(address.Hostname()) {
		return nil
	}
	return fmt.Errorf("%s would be sent to %s without encryption: use https, or unset %s if that server needs no key",
		source, address.Host, source)
}

// isLoopback reports whether a host is this machine.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// ErrStalled is the cause of the end of a request whose answer stopped coming.
var ErrStalled = errors.New("the server sends nothing more")

// Stall returns a context for one request, and a function that makes its answer's body end the request when no byte
// comes for the given time. Call stop when the answer was read.
func Stall(ctx context.Context, limit time.Duration) (
	within context.Context, watch func(io.Reader) io.Reader, stop func(),
) {
	within, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(limit, func() { cancel(fmt.Errorf("%w for %v", ErrStalled, limit)) })
	timer.Stop() // until the body is read: the header has its own limit
	watch = func(body io.Reader) io.Reader {
		timer.Reset(limit)
		return &watched{body, timer, limit, within}
	}
	return within, watch, func() { timer.Stop(); cancel(nil) }
}

// watched restarts a timer whenever bytes arrive.
type watched struct {
	body  io.Reader
	timer *time.Timer
	limit time.Duration
	ctx   context.Context
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.body.Read(p)
	if n > 0 {
		w.timer.Reset(w.limit)
	}
	if cause := context.Cause(w.ctx); err != nil && err != io.EOF && errors.Is(cause, ErrStalled) {
		err = cause
	}
	return n, err
}
