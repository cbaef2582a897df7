package hub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/bfpo-go/bfpo/datasets/httpclient"
)

// Hub downloads repositories of a Hugging Face hub into a cache folder with the layout of the Python libraries:
// models--ORG--NAME/{blobs,refs,snapshots}.
type Hub struct {
	Endpoint string        // https://huggingface.co, or a mirror
	Cache    string        // folder of models--… and datasets--…
	Token    string        // "": anonymous
	Offline  bool          // use only the files in the cache
	Client   *http.Client  // nil: httpclient.New(0)
	Patience time.Duration // how long failing requests for one file are repeated; 0: 2 minutes
	Log      *slog.Logger  // nil: no notices

	usual sync.Once // makes client
	own   *http.Client
}

// client returns the client of all requests, so that they share connections.
func (h *Hub) client() *http.Client {
	if h.Client != nil {
		return h.Client
	}
	h.usual.Do(func() { h.own = httpclient.New(0) })
	return h.own
}

// checkToken refuses a token that cannot be sent, or would be sent without encryption, before anything is.
func (h *Hub) checkToken() error {
	if h.Token == "" {
		return nil
	}
	address, err := url.Parse(h.Endpoint)
	if err != nil {
		return fmt.Errorf("HF_ENDPOINT: %w", err)
	}
	if err := httpclient.CheckKey(tokenSource, h.Token); err != nil {
		return err
	}
	return httpclient.CheckAddress(tokenSource, address)
}

// tokenSource names the hub's token in errors.
const tokenSource = "HF_TOKEN"

// FromEnvironment makes a hub from HF_ENDPOINT, HF_HUB_CACHE, HF_HOME, HF_TOKEN, HF_TOKEN_PATH and HF_HUB_OFFLINE. log
// gets one-line notices.
func FromEnvironment(log *slog.Logger) *Hub {
	home := os.Getenv("HF_HOME")
	if home == "" {
		cache := os.Getenv("XDG_CACHE_HOME")
		if cache == "" {
			user, _ := os.UserHomeDir()
			cache = filepath.Join(user, ".cache")
		}
		home = filepath.Join(cache, "huggingface")
	}
	or := func(name, other string) string {
		if v := os.Getenv(name); v != "" {
			return v
		}
		return other
	}
	token := os.Getenv("HF_TOKEN")
	if token == "" {
		stored, _ := os.ReadFile(or("HF_TOKEN_PATH", filepath.Join(home, "token")))
		token = strings.TrimSpace(string(stored))
	}
	offline := strings.ToLower(os.Getenv("HF_HUB_OFFLINE"))
	return &Hub{
		Endpoint: strings.TrimRight(or("HF_ENDPOINT", "https://huggingface.co"), "/"),
		Cache:    or("HF_HUB_CACHE", filepath.Join(home, "hub")),
		Token:    token,
		Offline:  offline == "1" || offline == "true" || offline == "yes" || offline == "on",
		Log:      log,
	}
}

// hubFile is one file of a repository's listing.
type hubFile struct {
	Name string `json:"rfilename"`
	Size int64  `json:"size"`
	Blob string `json:"blobId"` // git's SHA-1; for a file in LFS, its SHA-256
	LFS  *struct {
		SHA256 string `json:"sha256"`
		Size   int64  `json:"size"`
	} `json:"lfs"`
}

var (
	commitID = regexp.MustCompile(`^[0-9a-f]{40}$`)
	digest   = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
	repoID   = regexp.MustCompile(`^[\w.-]+(/[\w.-]+)?$`)
)

// unreachable is the error of a request that no server answered.
type unreachable struct{ error }

func (u *unreachable) Unwrap() error { return u.error }

// get requests an address, from the given byte on. A response other than success is an error with advice.
func (h *Hub) get(ctx context.Context, address string, from int64) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, backoff.Permanent(err)
	}
	request.Header.Set("User-Agent", "bfpo")
	if h.Token != "" {
		request.Header.Set("Authorization", "Bearer "+h.Token)
	}
	if from > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", from))
	}
	response, err := h.client().Do(request)
	if err != nil {
		return nil, &unreachable{err}
	}
	if response.StatusCode < 300 {
		return response, nil
	}
	response.Body.Close()
	err = fmt.Errorf("the hub answers %s", response.Status)
	switch code := response.StatusCode; {
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return nil, backoff.Permanent(fmt.Errorf("%w: it does not exist, or it is private or gated: "+
			"accept its terms on the hub and set HF_TOKEN", err))
	case code == http.StatusNotFound:
		return nil, backoff.Permanent(fmt.Errorf("%w: no such repository, revision or file", err))
	case code == http.StatusTooManyRequests || code >= 500:
		return nil, err
	}
	return nil, backoff.Permanent(err)
}

// repeat calls f until it succeeds, fails permanently, or the hub's patience ends. It also stops when no server answers
// three times in a row.
func (h *Hub) repeat(ctx context.Context, f func() error) error {
	patience := h.Patience
	if patience == 0 {
		patience = 2 * time.Minute
	}
	policy := backoff.NewExponentialBackOff()
	policy.InitialInterval = min(policy.InitialInterval, patience/100)
	unanswered := 0
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := f()
		var lost *unreachable
		if !errors.As(err, &lost) {
			unanswered = 0
		} else if unanswered++; unanswered == 3 {
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(policy), backoff.WithMaxElapsedTime(patience), backoff.WithNotify(h.noticeRetry))
	return err
}

// noticeRetry tells that a request is repeated, and why.
func (h *Hub) noticeRetry(err error, wait time.Duration) {
	h.log(fmt.Sprintf("hub: %v; trying again in %.1f s", err, wait.Seconds()))
}

// log logs a notice, if there is a logger.
func (h *Hub) log(notice string) {
	if h.Log != nil {
		h.Log.Info(notice)
	}
}
