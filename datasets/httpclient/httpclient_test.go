package httpclient

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// A redirection to another port, scheme or host loses the key, for good.
func TestRedirectsLoseKeys(t *testing.T) {
	got := map[string]string{}
	record := func(r *http.Request) {
		got[r.URL.Path] = r.Header.Get("Authorization") + r.Header.Get("X-Goog-Api-Key")
	}
	var first, second *httptest.Server
	first = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		record(r)
		switch r.URL.Path {
		case "/same":
			http.Redirect(w, r, "/end", http.StatusFound)
		case "/other":
			http.Redirect(w, r, second.URL+"/away", http.StatusTemporaryRedirect)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		}
	}))
	defer first.Close()
	second = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		record(r)
		http.Redirect(w, r, first.URL+"/back", http.StatusFound)
	}))
	defer second.Close()
	get := func(path string) error {
		request, _ := http.NewRequest(http.MethodGet, first.URL+path, nil)
		request.Header.Set("Authorization", "Bearer k")
		request.Header.Set("X-Goog-Api-Key", "k")
		response, err := New(0).Do(request)
		if err == nil {
			response.Body.Close()
		}
		return err
	}
	for _, path := range []string{"/same", "/other"} {
		if err := get(path); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{"/same": "Bearer kk", "/end": "Bearer kk", "/other": "Bearer kk",
		"/away": "", "/back": ""} {
		if key, asked := got[path]; !asked || key != want {
			t.Errorf("%s got %q, want %q", path, key, want)
		}
	}
	if err := get("/loop"); err == nil || !strings.Contains(err.Error(), "more than 10 redirections") {
		t.Error(err)
	}
	secure, _ := http.NewRequest(http.MethodGet, "https://a.example/x", nil)
	plain, _ := http.NewRequest(http.MethodGet, "http://a.example/x", nil)
	if err := checkRedirect(plain, []*http.Request{secure}); err == nil {
		t.Error("a redirection from https to http is followed")
	}
}

// A server that accepts and never answers, or stops in the middle, costs an error.
func TestSilentServer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() // it accepts in the kernel and nobody answers
	started := time.Now()
	if _, err := New(50 * time.Millisecond).Get("http://" + listener.Addr().String()); err == nil {
		t.Error("no error without an answer")
	}
	release := make(chan struct{})
	half := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "9")
		io.WriteString(w, "half")
		w.(http.Flusher).Flush()
		<-release
	}))
	defer half.Close()
	defer close(release)
	ctx, watch, stop := Stall(context.Background(), 50*time.Millisecond)
	defer stop()
	request, _ := http.NewRequestWithContext(ctx, http.MethodGet, half.URL, nil)
	response, err := New(0).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if text, err := io.ReadAll(watch(response.Body)); !errors.Is(err, ErrStalled) || string(text) != "half" {
		t.Errorf("%q, %v", text, err)
	}
	if took := time.Since(started); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestKeysAndAddresses(t *testing.T) {
	for key, want := range map[string]string{
		"": "", "sk-a.B_9/=+~": "", "k\r": "KEY contains the end of a line (character 2 of 2)", "k\n": "end of a line",
		" k": "contains a blank (character 1 of 2)", "k\x1b": "no key has", "ké": "no key has", "k\x7f": "no key has",
	} {
		err := CheckKey("KEY", key)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", key, err, want)
		}
	}
	for address, ok := range map[string]bool{
		"https://a.example": true, "http://127.0.0.1:8000/v1": true, "http://localhost/v1": true, "http://[::1]:1": true,
		"http://LOCALHOST": true, "http://a.example": false, "http://10.0.0.1": false, "http://127.0.0.1.a.example": false,
		"http://localhost.a.example": false, "http://0.0.0.0": false,
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if err := CheckAddress("KEY", u); (err == nil) != ok {
			t.Errorf("%s: %v", address, err)
		}
	}
}
