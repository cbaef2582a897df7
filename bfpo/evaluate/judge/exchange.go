package judge

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// exchange asks a service by HTTP and JSON. Its errors say whether to try again: a backoff.PermanentError stays for this question, a
// hopeless one for all.
type exchange struct {
	client *http.Client
	header http.Header
	secret string // appears in no error and no answer; "" = none
}

// answerLimit is the size of an answer at most, in bytes.
const answerLimit = 1 << 20

// newExchange sends the key, if there is one, in the given header field behind a prefix.
func newExchange(field, prefix, key string) *exchange {
	e := &exchange{header: http.Header{"User-Agent": {"bfpo"}, "Content-Type": {"application/json"}}, secret: key}
	if key != "" {
		e.header.Set(field, prefix+key)
	}
	// A redirection would take key and question somewhere else.
	e.client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return e
}

// do sends a body (nil: a GET) and decodes the answer.
func (e *exchange) do(ctx context.Context, address string, body, into any) error {
	method, content := http.MethodGet, io.Reader(nil)
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return backoff.Permanent(err)
		}
		method, content = http.MethodPost, bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, address, content)
	if err != nil {
		return backoff.Permanent(&hopeless{err})
	}
	request.Header = e.header.Clone()
	response, err := e.client.Do(request)
	if err != nil {
		return e.failed(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, answerLimit+1))
	text = []byte(e.redact(string(text)))
	switch {
	case len(text) > answerLimit:
		return backoff.Permanent(fmt.Errorf("the answer is longer than %d bytes", answerLimit))
	case err != nil:
		return fmt.Errorf("the answer breaks off: %w", e.failed(err))
	case response.StatusCode != http.StatusOK:
		return e.refusal(response, text)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("the answer is no JSON of the kind expected: %w", err)
	}
	return nil
}

// failed is the error of a request without an answer, without the service's address, which may have a secret in it, and without this
// machine's port, which is another one each time.
func (e *exchange) failed(err error) error {
	var addressed *url.Error
	if errors.As(err, &addressed) {
		err = addressed.Err
	}
	var lost *net.OpError
	var untrusted *tls.CertificateVerificationError
	switch {
	case errors.As(err, &lost) && lost.Op == "dial":
		return &unreachable{errors.New(e.redact(err.Error()))}
	case errors.As(err, &lost):
		return fmt.Errorf("%s: %w", lost.Op, lost.Err)
	case errors.As(err, &untrusted):
		return backoff.Permanent(&hopeless{err})
	}
	return errors.New(e.redact(err.Error()))
}

func (e *exchange) redact(text string) string {
	if e.secret == "" {
		return text
	}
	return strings.ReplaceAll(text, e.secret, "[key]")
}

// refused is an answer whose status is an error.
type refused struct {
	status  string
	code    int
	message string // the service's
}

func (r *refused) Error() string {
	text := "the service answers " + r.status
	if r.message != "" {
		text += ": " + excerpt(r.message)
	}
	return text
}

// refusal sorts the answers that are errors: wait and try again, give this question up, or give all up.
func (e *exchange) refusal(response *http.Response, text []byte) error {
	r := &refused{status: response.Status, code: response.StatusCode, message: strings.TrimSpace(string(text))}
	var told struct {
		Error struct{ Message string }
	}
	if json.Unmarshal(text, &told) == nil && told.Error.Message != "" {
		r.message = e.redact(told.Error.Message) // JSON may have spelled the key otherwise
	}
	switch code := r.code; {
	case code == http.StatusUnauthorized || code == http.StatusForbidden || code == http.StatusNotFound || code < http.StatusBadRequest:
		return backoff.Permanent(&hopeless{r})
	case code == http.StatusTooManyRequests || code == http.StatusRequestTimeout || code >= http.StatusInternalServerError:
		if wait, ok := retryAfter(response.Header.Get("Retry-After"), time.Now()); ok {
			return fmt.Errorf("%w (%w)", r, &backoff.RetryAfterError{Duration: wait})
		}
		return r
	}
	return backoff.Permanent(r)
}

// retryAfter reads a header Retry-After: seconds, or a date.
func retryAfter(text string, now time.Time) (time.Duration, bool) {
	if seconds, err := strconv.ParseInt(text, 10, 32); err == nil && seconds >= 0 {
		return time.Duration(seconds) * time.Second, true
	}
	if date, err := http.ParseTime(text); err == nil {
		return max(date.Sub(now), 0), true
	}
	return 0, false
}
