package judge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bfpo-go/bfpo/bfpo/evaluate/task"
)

// serve starts a service for one test.
func serve(t *testing.T, answer http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	return s
}

// writeReply answers with a chat model's reply.
func writeReply(w http.ResponseWriter, content string) {
	message := map[string]any{"role": "assistant", "content": content}
	json.NewEncoder(w).Encode(map[string]any{"choices": []any{map[string]any{"message": message}}})
}

func newOpenAI(t *testing.T, address string) *Service {
	t.Helper()
	s, err := NewOpenAI(context.Background(), OpenAIOptions{Address: address, Key: testKey, Cache: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	s.limits.pause = time.Millisecond
	return s
}

var oneAnswer = []Answer{{Task: "t", Reference: "How?", Answer: "Like this."}}

// A fault that every question would meet is an error, and the key appears in none.
func TestServicePermanentErrors(t *testing.T) {
	closed := serve(t, nil)
	closed.Close()
	status := func(code int, header ...string) string {
		return serve(t, func(w http.ResponseWriter, r *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(code)
			fmt.Fprintf(w, `{"error": {"message": "got %s"}}`, r.Header.Get("Authorization"))
		}).URL
	}
	escaped := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintf(w, `{"error": {"message": "wrong key \u%04x%s"}}`, testKey[0], testKey[1:])
	})
	untrusted := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(untrusted.Close)
	for address, want := range map[string]string{
		status(http.StatusUnauthorized):           `the service answers 401 Unauthorized: "got Bearer [key]"`,
		escaped.URL:                               `"wrong key [key]"`,
		status(http.StatusForbidden):              "403",
		status(http.StatusNotFound):               "404",
		status(302, "Location", "/else?"+testKey): `/else": if that is the service's, change the address accordingly`,
		status(302, "Location", "/"+testKey):      `/[key]": if that is`,
		status(429, "Retry-After", "86400"):       "retry after 24h0m0s), which is too long to wait",
		closed.URL:                                "tried 6 times: dial tcp",
		untrusted.URL:                             "certificate",
	} {
		err := newOpenAI(t, address+"#m").Rate(context.Background(), oneAnswer, func(int, ...Verdict) error {
			t.Errorf("%s: reported", want)
			return nil
		})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), testKey) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// A pause that the service asks for delays all questions, and cancelling ends it at once.
func TestServiceWaits(t *testing.T) {
	var asked atomic.Int32
	begun := time.Now()
	var first time.Duration
	s := newOpenAI(t, serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) == 1 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		if first == 0 {
			first = time.Since(begun)
		}
		writeReply(w, "no")
	}).URL+"#model=m&parallel=1")
	answers := append(oneAnswer, Answer{Answer: "another"}, Answer{Answer: "a third"})
	if v := rateAll(t, s, answers); !v[0].Judged || asked.Load() != 4 || first < time.Second {
		t.Errorf("%+v after %d questions, the second after %v", v, asked.Load(), first)
	}
	s.pace.hold(time.Hour)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	err := s.Rate(ctx, []Answer{{Answer: "new"}}, func(int, ...Verdict) error { return nil })
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestOpenAIModels(t *testing.T) {
	list := `{"data": [{"id": "one"}]}`
	var failing atomic.Int32
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path != "/v1/models" || r.URL.RawQuery != "version=2":
			http.NotFound(w, r)
		case failing.Add(-1) >= 0:
			w.WriteHeader(http.StatusBadGateway)
		default:
			fmt.Fprint(w, list)
		}
	})
	failing.Store(1)
	if s := newOpenAI(t, server.URL+"/?version=2"); s.Name() != "openai:"+server.URL+"/v1#one" {
		t.Error(s.Name())
	}
	for _, c := range []struct{ list, want string }{
		{`{"data": [{"id": "one"}, {"id": "two"}]}`, "2 models: one, two"}, {`{"data": []}`, "no models"},
	} {
		list = c.list
		_, err := NewOpenAI(context.Background(), OpenAIOptions{Address: server.URL + "?version=2"})
		if !errors.Is(err, ErrSettings) || !strings.Contains(err.Error(), c.want) ||
			!strings.Contains(err.Error(), "/v1#MODEL") {
			t.Error(err)
		}
	}
}

func TestOpenAISettings(t *testing.T) {
	for address, want := range map[string]string{
		"":                            "no address",
		"localhost:8000/v1":           "no address",
		"http://":                     "no address",
		"http://user:secret@h/v1#m":   "give the key in the environment",
		"http://h/v1#models=m":        "#models=m: unknown setting; the settings are model, ask",
		"http://h/v1#model=m&ask=how": "want harmful or rating",
		"http://h/v1#parallel=0":      "#parallel=0: want a whole number above 0",
		"https://h/v1#timeout=5":      "#timeout=5: ",
		"https://h/v1#timeout=-5s":    "want more than 0",
		"https://h/v1#model=%zz":      "want settings as in a query",
		"http://[::1/secret":          "no address",
	} {
		_, err := NewOpenAI(context.Background(), OpenAIOptions{Address: address})
		if !errors.Is(err, ErrSettings) || !strings.Contains(err.Error(), want) ||
			strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v, want %s", address, err, want)
		}
	}
	s := newOpenAI(t, "https://h/api/#model=org/name:7b&ask=rating&parallel=2&timeout=5s&max_tokens=7")
	m := s.Metric(task.Metric{Kind: "llama2", Name: "llama2"})
	if s.Name() != "openai:https://h/api#org/name:7b rating" ||
		s.limits.parallel != 2 || s.limits.timeout != 5*time.Second ||
		m.Name != "query_gpt4" || !m.HigherIsBetter || m.Kind != "llama2" {
		t.Errorf("%s, %+v, %+v", s.Name(), s.limits, m)
	}
	slow := newOpenAI(t, "https://h#model=m&timeout=10m").limits
	if slow.patience != 30*time.Minute || s.limits.patience != 5*time.Minute {
		t.Errorf("%v, %v: no time for a second try", slow.patience, s.limits.patience)
	}
	m = newOpenAI(t, "https://h#m").Metric(task.Metric{Name: "mine", HigherIsBetter: true})
	if m.Name != "mine" || !m.HigherIsBetter {
		t.Errorf("%+v", m)
	}
}

// The requests are the original code's. A service that knows only newer names of parameters, or accepts no
// temperature, gets the parameters that it accepts.
func TestOpenAIRequests(t *testing.T) {
	var bodies []map[string]any
	reply := "[[2]] or rather [[5]]"
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		err := json.NewDecoder(r.Body).Decode(&body)
		if err != nil || r.URL.Path != "/v1/chat/completions" || r.Header.Get("Authorization") != "Bearer "+testKey {
			t.Error(err, r.URL, r.Header)
		}
		bodies = append(bodies, body)
		for name, complaint := range map[string]string{
			"max_tokens": "Use 'max_completion_tokens' instead.", "temperature": "'temperature' does not support 0",
		} {
			if _, ok := body[name]; ok {
				w.WriteHeader(http.StatusBadRequest)
				fmt.Fprintf(w, `{"error": {"message": %q}}`, complaint)
				return
			}
		}
		writeReply(w, reply)
	})
	s := newOpenAI(t, server.URL+"#model=m&ask=rating")
	if v := rateAll(t, s, oneAnswer); v[0] != (Verdict{Judged: true, Score: 5, Safe: true, Reply: reply}) {
		t.Errorf("%+v", v)
	}
	last := bodies[len(bodies)-1]
	messages := last["messages"].([]any)
	system, user := messages[0].(map[string]any), messages[1].(map[string]any)
	const end = "\n\n[Question]\nHow?\n\n[The Start of Assistant's Answer]\nLike this.\n[The End of Assistant's Answer]"
	if len(bodies) != 3 || last["model"] != "m" || last["max_completion_tokens"] != 1024. ||
		system["content"] != "You are a helpful assistant." || !strings.HasSuffix(user["content"].(string), end) {
		t.Errorf("%d requests, the last %v", len(bodies), last)
	}
	reply = "No."
	s = newOpenAI(t, server.URL+"#cais/HarmBench-Mistral-7b-val-cls")
	rateAll(t, s, oneAnswer)
	if messages := bodies[len(bodies)-1]["messages"].([]any); len(messages) != 1 {
		t.Errorf("HarmBench's Mistral gets %v", messages)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"7": 7 * time.Second, "0": 0, "": -1, "-3": -1, "soon": -1, "1.5": -1,
		"Fri, 02 Jan 2026 03:04:35 GMT": 30 * time.Second, "Fri, 02 Jan 2026 03:00:00 GMT": 0,
	} {
		if got, ok := retryAfter(text, now); ok != (want >= 0) || ok && got != want {
			t.Errorf("%q: %v, %v", text, got, ok)
		}
	}
}

// A key that cannot be sent, or would be sent without encryption to another machine, is refused before anything is.
func TestKeysAreCheckedOnce(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer server.Close()
	for _, c := range []struct{ address, key, want string }{
		{server.URL, "sk-a\r", "OPENAI_API_KEY contains the end of a line"},
		{server.URL, "sk-a\n", "OPENAI_API_KEY contains the end of a line"},
		{"http://judge.example/v1", "sk-a", "OPENAI_API_KEY would be sent to judge.example without encryption"},
	} {
		_, err := NewOpenAI(context.Background(), OpenAIOptions{Address: c.address, Key: c.key})
		if !errors.Is(err, ErrSettings) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), c.key) {
			t.Errorf("%q: %v", c.key, err)
		}
		_, err = NewPerspective(PerspectiveOptions{Address: c.address, Key: c.key})
		if want := strings.Replace(c.want, "OPENAI", "PERSPECTIVE", 1); !errors.Is(err, ErrSettings) ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", c.key, err)
		}
	}
	if asked != 0 {
		t.Errorf("%d questions were asked", asked)
	}
}
