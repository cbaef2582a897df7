package hub

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bfpo-go/bfpo/datasets/httpclient"
)

const testCommit = "0123456789abcdef0123456789abcdef01234567"

// fakeHub serves one repository; each download takes the next of the faults.
type fakeHub struct {
	sync.Mutex
	files    map[string]string // name -> content; names ending in .bin are in LFS
	faults   []string
	token    string
	ranges   []string // Range headers of downloads
	requests int
}

func (s *fakeHub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.Lock()
	defer s.Unlock()
	s.requests++
	if s.token != "" && r.Header.Get("Authorization") != "Bearer "+s.token {
		http.Error(w, "gated", http.StatusUnauthorized)
		return
	}
	if strings.HasPrefix(r.URL.Path, "/api/datasets/org/name/revision/") {
		if rev := strings.TrimPrefix(r.URL.Path, "/api/datasets/org/name/revision/"); rev != "main" && rev != testCommit {
			http.NotFound(w, r)
			return
		}
		var siblings []map[string]any
		for name, content := range s.files {
			entry := map[string]any{"rfilename": name, "size": len(content), "blobId": gitHash(content)}
			if strings.HasSuffix(name, ".bin") {
				sum := sha256.Sum256([]byte(content))
				entry["lfs"] = map[string]any{"sha256": hex.EncodeToString(sum[:]), "size": len(content)}
			}
			siblings = append(siblings, entry)
		}
		json.NewEncoder(w).Encode(map[string]any{"sha": testCommit, "siblings": siblings})
		return
	}
	content, ok := s.files[strings.TrimPrefix(r.URL.Path, "/datasets/org/name/resolve/"+testCommit+"/")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	s.ranges = append(s.ranges, r.Header.Get("Range"))
	fault := ""
	if len(s.faults) > 0 {
		fault, s.faults = s.faults[0], s.faults[1:]
	}
	s.send(w, r, content, fault)
}

func (s *fakeHub) send(w http.ResponseWriter, r *http.Request, content, fault string) {
	if fault == "500" {
		http.Error(w, fault, http.StatusInternalServerError)
		return
	}
	from := 0
	if header := r.Header.Get("Range"); header != "" && fault != "no ranges" {
		fmt.Sscanf(header, "bytes=%d-", &from)
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(content)-1, len(content)))
		w.Header().Set("Content-Length", strconv.Itoa(len(content)-from))
		w.WriteHeader(http.StatusPartialContent)
	}
	body := content[from:]
	switch fault {
	case "truncated":
		w.Write([]byte(body[:len(body)/2]))
	case "dropped":
		if from == 0 {
			w.Header().Set("Content-Length", strconv.Itoa(len(content)))
		}
		w.Write([]byte(body[:len(body)/2]))
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	case "wrong bytes":
		w.Write([]byte(strings.Repeat("?", len(body))))
	case "too long":
		w.Write([]byte(body + "more"))
	default:
		w.Write([]byte(body))
	}
}

func gitHash(content string) string {
	sum := sha1.Sum([]byte(fmt.Sprintf("blob %d\x00%s", len(content), content)))
	return hex.EncodeToString(sum[:])
}

// StartHub starts a server with three files and a Hub that uses it.
func StartHub(t *testing.T) (*fakeHub, *Hub) {
	t.Helper()
	fake := &fakeHub{files: map[string]string{
		"data/train-00000-of-00001.bin": strings.Repeat("weights ", 1000),
		"train.jsonl":                   `{"text": "one"}` + "\n" + `{"text": "two"}` + "\n",
		"test.jsonl":                    `{"text": "three"}` + "\n",
	}}
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	return fake, &Hub{Endpoint: server.URL, Cache: t.TempDir(), Patience: 3 * time.Second}
}

func all(string) bool { return true }

func TestHubFaults(t *testing.T) {
	const big = "data/train-00000-of-00001.bin"
	for _, faults := range [][]string{
		nil, {"500", "500"}, {"truncated"}, {"dropped"}, {"dropped", "dropped", "500"}, {"wrong bytes"}, {"too long"},
		{"truncated", "no ranges"},
	} {
		t.Run(strings.Join(faults, ","), func(t *testing.T) {
			fake, hub := StartHub(t)
			fake.faults = faults
			onlyBig := func(name string) bool { return name == big }
			dir, err := hub.Snapshot(context.Background(), "datasets", "org/name", "", onlyBig)
			if err != nil {
				t.Fatal(err)
			}
			have, err := os.ReadFile(filepath.Join(dir, big))
			if err != nil || string(have) != fake.files[big] {
				t.Errorf("%d bytes, %v", len(have), err)
			}
			if len(faults) > 0 && faults[0] == "dropped" && !strings.HasPrefix(fake.ranges[1], "bytes=") {
				t.Errorf("the second request starts over: %q", fake.ranges)
			}
			if _, err := os.Stat(filepath.Join(dir, "test.jsonl")); err == nil {
				t.Error("a file that does not pass the filter was downloaded")
			}
		})
	}
}

// TestHubCache checks that the cache has the layout of the Python library, is used without a network, and is not
// downloaded twice.
func TestHubCache(t *testing.T) {
	fake, hub := StartHub(t)
	ctx := context.Background()
	dir, err := hub.Snapshot(ctx, "datasets", "org/name", "main", all)
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(hub.Cache, "datasets--org--name")
	if want := filepath.Join(root, "snapshots", testCommit); dir != want {
		t.Errorf("folder %s, want %s", dir, want)
	}
	if ref, _ := os.ReadFile(filepath.Join(root, "refs", "main")); string(ref) != testCommit {
		t.Errorf("refs/main is %q", ref)
	}
	blob := "../../blobs/" + gitHash(fake.files["train.jsonl"])
	if link, _ := os.Readlink(filepath.Join(dir, "train.jsonl")); link != blob {
		t.Errorf("train.jsonl -> %q", link)
	}
	downloads := len(fake.ranges)
	if _, err := hub.Snapshot(ctx, "datasets", "org/name", testCommit, all); err != nil || len(fake.ranges) != downloads {
		t.Errorf("%d downloads again, %v", len(fake.ranges)-downloads, err)
	}

	requests := fake.requests
	hub.Offline = true
	have, err := hub.Snapshot(ctx, "datasets", "org/name", "main", all)
	if have != dir || err != nil || fake.requests != requests {
		t.Errorf("offline: %s, %v", have, err)
	}
	hub.Offline, hub.Endpoint = false, "http://127.0.0.1:1"
	if have, err := hub.Snapshot(ctx, "datasets", "org/name", "main", all); have != dir || err != nil {
		t.Errorf("without a network: %s, %v", have, err)
	}
}

// A link that a process left when it died does not block a later process of the same number.
func TestLeftoverLinks(t *testing.T) {
	_, hub := StartHub(t)
	dir := filepath.Join(hub.Cache, "datasets--org--name", "snapshots", testCommit)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"train.jsonl", "test.jsonl"} {
		left := fmt.Sprintf("%s.%d", filepath.Join(dir, name), os.Getpid())
		if err := os.Symlink("../../blobs/gone", left); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := hub.Snapshot(context.Background(), "datasets", "org/name", "", all); err != nil {
		t.Error(err)
	}
	staged, err := filepath.Glob(filepath.Join(dir, ".new-*"))
	if err != nil || len(staged) > 0 {
		t.Errorf("left over: %v, %v", staged, err)
	}
}

// A flipped bit in a cached file is found: the file is downloaded again, or, without a network, refused by name.
func TestDamagedBlob(t *testing.T) {
	fake, hub := StartHub(t)
	ctx := context.Background()
	dir, err := hub.Snapshot(ctx, "datasets", "org/name", "main", all)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range fake.files {
		path := filepath.Join(dir, name)
		flip := func() {
			t.Helper()
			text := []byte(content)
			text[len(text)/3] ^= 4
			if err := os.WriteFile(path, text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		flip()
		hub.Offline = true
		if _, err := hub.Snapshot(ctx, "datasets", "org/name", "main", all); err == nil ||
			!strings.Contains(err.Error(), path+" is damaged") {
			t.Errorf("%s, offline: %v", name, err)
		}
		hub.Offline = false
		if _, err := hub.Snapshot(ctx, "datasets", "org/name", "main", all); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if text, err := os.ReadFile(path); err != nil || string(text) != content {
			t.Errorf("%s was not downloaded again: %v", name, err)
		}
	}
}

func TestHubErrors(t *testing.T) {
	ctx := context.Background()
	tests := []struct {
		name   string
		change func(*fakeHub, *Hub)
		repo   string
		want   []string
	}{
		{"gated", func(f *fakeHub, h *Hub) { f.token = "secret" }, "org/name", []string{"401", "HF_TOKEN"}},
		{"unknown", func(f *fakeHub, h *Hub) {}, "org/other", []string{"404", "no such repository"}},
		{"no network", func(f *fakeHub, h *Hub) { h.Endpoint = "http://127.0.0.1:1" }, "org/name",
			[]string{"not in the cache", "HF_ENDPOINT"}},
		{"offline", func(f *fakeHub, h *Hub) { h.Offline = true }, "org/name", []string{"HF_HUB_OFFLINE", "local folder"}},
		{"never right", func(f *fakeHub, h *Hub) {
			h.Patience = 200 * time.Millisecond
			for range 1000 {
				f.faults = append(f.faults, "wrong bytes")
			}
		}, "org/name", []string{"hash is", "the listing says"}},
		{"escape", func(f *fakeHub, h *Hub) { f.files["../../evil"] = "x" }, "org/name", []string{"unusable entry"}},
		{"not an id", func(f *fakeHub, h *Hub) {}, "../../etc", []string{"not a hub id"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fake, hub := StartHub(t)
			test.change(fake, hub)
			_, err := hub.Snapshot(ctx, "datasets", test.repo, "", all)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not contain %q", err, want)
				}
			}
		})
	}
	fake, hub := StartHub(t)
	fake.token, hub.Token = "secret", "secret"
	if _, err := hub.Snapshot(ctx, "datasets", "org/name", "", all); err != nil {
		t.Errorf("with the token: %v", err)
	}
}

func TestHubFromEnvironment(t *testing.T) {
	home := t.TempDir()
	for _, name := range []string{"HF_TOKEN", "HF_TOKEN_PATH", "HF_HUB_CACHE", "HF_ENDPOINT", "HF_HUB_OFFLINE"} {
		t.Setenv(name, "")
	}
	t.Setenv("HF_HOME", home)
	if err := os.WriteFile(filepath.Join(home, "token"), []byte("stored\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if h := FromEnvironment(nil); h.Token != "stored" || h.Cache != filepath.Join(home, "hub") || h.Offline ||
		h.Endpoint != "https://huggingface.co" {
		t.Errorf("have %+v", h)
	}
	t.Setenv("HF_TOKEN", "given")
	t.Setenv("HF_HUB_CACHE", "/elsewhere")
	t.Setenv("HF_ENDPOINT", "http://mirror/")
	t.Setenv("HF_HUB_OFFLINE", "1")
	if h := FromEnvironment(nil); h.Token != "given" || h.Cache != "/elsewhere" || !h.Offline ||
		h.Endpoint != "http://mirror" {
		t.Errorf("have %+v", h)
	}
}

// A file that always has the wrong hash is given up after two downloads, not after minutes.
func TestHubWrongHash(t *testing.T) {
	fake, hub := StartHub(t)
	hub.Patience = time.Minute
	fake.faults = []string{"wrong bytes", "wrong bytes", "wrong bytes", "wrong bytes"}
	started := time.Now()
	only := func(name string) bool { return name == "test.jsonl" }
	_, err := hub.Snapshot(context.Background(), "datasets", "org/name", "", only)
	if err == nil || !strings.Contains(err.Error(), "hash") || !strings.Contains(err.Error(), "2 times") {
		t.Error(err)
	}
	if took := time.Since(started); took > 20*time.Second || len(fake.ranges) != 2 {
		t.Errorf("%v and %d downloads", took, len(fake.ranges))
	}
}

// A token that cannot be sent safely is refused by name before any request.
func TestHubToken(t *testing.T) {
	fake, hub := StartHub(t)
	for token, want := range map[string]string{"hf_a\r": "HF_TOKEN contains the end of a line", "hf_\x1b": "HF_TOKEN"} {
		hub.Token = token
		if _, err := hub.Snapshot(context.Background(), "datasets", "org/name", "", all); err == nil ||
			!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), token) {
			t.Errorf("%q: %v", token, err)
		}
	}
	hub.Token, hub.Endpoint = "hf_a", "http://hub.example"
	if _, err := hub.Snapshot(context.Background(), "datasets", "org/name", "", all); err == nil ||
		!strings.Contains(err.Error(), "HF_TOKEN would be sent to hub.example without encryption") {
		t.Error(err)
	}
	if fake.requests != 0 {
		t.Errorf("%d requests", fake.requests)
	}
}

// A hub that accepts and never answers costs an error.
func TestHubThatNeverAnswers(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	hub := &Hub{Endpoint: "http://" + listener.Addr().String(), Cache: t.TempDir(), Patience: time.Second,
		Client: httpclient.New(50 * time.Millisecond)}
	if _, err := hub.Snapshot(context.Background(), "datasets", "org/name", "", all); err == nil ||
		!strings.Contains(err.Error(), "not in the cache") {
		t.Error(err)
	}
}

// A link that a process of the same number left does not block a download.
func TestHubLeftLink(t *testing.T) {
	_, hub := StartHub(t)
	dir := filepath.Join(hub.Cache, "datasets--org--name", "snapshots", testCommit)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", filepath.Join(dir, fmt.Sprintf("test.jsonl.%d", os.Getpid()))); err != nil {
		t.Fatal(err)
	}
	if _, err := hub.Snapshot(context.Background(), "datasets", "org/name", "", all); err != nil {
		t.Error(err)
	}
}
