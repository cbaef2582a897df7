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

	"github.com/bfpo-go/bfpo/datasets/httpclient"
	"github.com/bfpo-go/bfpo/datasets/jsontype"
)

// exchange sends requests to a service by HTTP and JSON. Its errors tell whether a retry can help: a
// backoff.PermanentError is permanent for this question, a permanentError for all questions.
type exchange struct {
	client *http.Client
	header http.Header
	secret string // redacted from errors and answers; "" if there is none
}

// answerLimit is the largest size of an answer in bytes.
const answerLimit = 1 << 20

// ErrSettings is wrapped by the errors about wrong settings of a judge.
var ErrSettings = errors.New("settings of the judge")

// checkKey refuses a key that cannot be sent, or would be sent without encryption, before anything is sent. source is
// the environment variable that has it.
func checkKey(source, key string, address *url.URL) error {
	if key == "" {
		return nil
	}
	if err := httpclient.CheckKey(source, key); err != nil {
		return fmt.Errorf("%w: %w", ErrSettings, err)
	}
	if err := httpclient.CheckAddress(source, address); err != nil {
		return fmt.Errorf("%w: %w", ErrSettings, err)
	}
	return nil
}

// newExchange returns an exchange that sends a key, if there is one, in a header field after a prefix.
func newExchange(field, prefix, key string) *exchange {
	e := &exchange{header: http.Header{"User-Agent": {"bfpo"}, "Content-Type": {"application/json"}}, secret: key}
	if key != "" {
		e.header.Set(field, prefix+key)
	}
	e.client = httpclient.New(24 * time.Hour) // Service limits the time of a question, and its settings can raise it
	// A redirect would send the question, and perhaps the key, to another server.
	e.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return e
}

// do sends a body as JSON, or a GET request if body is nil, and decodes the answer.
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
		return backoff.Permanent(&permanentError{err})
	}
	request.Header = e.header.Clone()
	response, err := e.client.Do(request)
	if err != nil {
		return e.transportError(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, answerLimit+1))
	text = []byte(e.redact(string(text)))
	switch {
	case len(text) > answerLimit:
		return backoff.Permanent(fmt.Errorf("the answer is longer than %d bytes", answerLimit))
	case err != nil:
		return fmt.Errorf("the answer breaks off: %w", e.transportError(err))
	case response.StatusCode != http.StatusOK:
		return e.statusError(response, text)
	}
	if message := errorMessage(text); message != "" {
		return fmt.Errorf("the service reports an error: %s", excerpt(e.redact(message)))
	}
	if err := jsontype.Unmarshal(text, into); err != nil {
		return fmt.Errorf("the answer is not JSON of the expected form: %w", err)
	}
	return nil
}

// transportError returns the error of a request without an answer. It leaves out the service's address, which may
// contain a secret, and this machine's port, which differs every time.
func (e *exchange) transportError(err error) error {
	var addressed *url.Error
	if errors.As(err, &addressed) {
		err = addressed.Err
	}
	var broken *net.OpError
	var untrusted *tls.CertificateVerificationError
	switch {
	case errors.As(err, &broken) && broken.Op == "dial":
		return &unreachableError{errors.New(e.redact(err.Error()))}
	case errors.As(err, &broken):
		return fmt.Errorf("%s: %w", broken.Op, broken.Err)
	case errors.As(err, &untrusted):
		return backoff.Permanent(&permanentError{err})
	}
	return errors.New(e.redact(err.Error()))
}

func (e *exchange) redact(text string) string {
	if e.secret == "" {
		return text
	}
	return strings.ReplaceAll(text, e.secret, "[key]")
}

// statusError is an answer with an error status.
type statusError struct {
	status  string
	code    int
	message string // the service's
	target  string // of a redirection, without its query
}

func (s *statusError) Error() string {
	text := "the service answers " + s.status
	if s.message != "" {
		text += ": " + excerpt(s.message)
	}
	if s.target != "" {
		text += "; it redirects to " + excerpt(s.target) + ": if that is the service's, change the address accordingly"
	}
	return text
}

// errorMessage returns the message of an answer that reports an error, or "".
func errorMessage(text []byte) string {
	var body struct {
		Error struct{ Message string }
	}
	if json.Unmarshal(text, &body) != nil {
		return ""
	}
	return body.Error.Message
}

// statusError returns the error of an answer with an error status: one to retry, perhaps after a pause that the
// service asks for, one that is permanent for this question, or one that is permanent for all.
func (e *exchange) statusError(response *http.Response, text []byte) error {
	r := &statusError{status: response.Status, code: response.StatusCode, message: strings.TrimSpace(string(text))}
	if message := errorMessage(text); message != "" {
		r.message = e.redact(message) // the key may have been escaped in the JSON text
	}
	if target, err := response.Location(); err == nil && r.code < http.StatusBadRequest {
		r.target = e.redact(target.Scheme + "://" + target.Host + target.Path)
	}
	switch code := r.code; {
	case code == http.StatusUnauthorized || code == http.StatusForbidden || code == http.StatusNotFound ||
		code < http.StatusBadRequest:
		return backoff.Permanent(&permanentError{r})
	case code == http.StatusTooManyRequests || code == http.StatusRequestTimeout ||
		code >= http.StatusInternalServerError:
		if wait, ok := retryAfter(response.Header.Get("Retry-After"), time.Now()); ok {
			return fmt.Errorf("%w (%w)", r, &backoff.RetryAfterError{Duration: wait})
		}
		return r
	}
	return backoff.Permanent(r)
}

// retryAfter reads a Retry-After header, which holds seconds or a date.
func retryAfter(text string, now time.Time) (time.Duration, bool) {
	if seconds, err := strconv.ParseInt(text, 10, 32); err == nil && seconds >= 0 {
		return time.Duration(seconds) * time.Second, true
	}
	if date, err := http.ParseTime(text); err == nil {
		return max(date.Sub(now), 0), true
	}
	return 0, false
}
