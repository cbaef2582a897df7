package judge

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A judge's replies survive a truncated last line, and are separate from another judge's.
func TestReplies(t *testing.T) {
	dir := t.TempDir()
	open := func(judge string) *replies {
		r, err := openReplies(dir, judge)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	a := open("a")
	if err := errors.Join(a.put(replyLine{"1", "yes\n<b>"}), a.put(replyLine{"2", "no"})); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "a.jsonl")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(text) {
		if err := os.WriteFile(path, text[:cut], 0o644); err != nil {
			t.Fatal(err)
		}
		whole := strings.Count(string(text[:cut+1]), "}\n")
		r := open("a")
		if len(r.known) < whole-1 || whole > 0 && r.known["1"] != "yes\n<b>" {
			t.Fatalf("cut at %d: %v", cut, r.known)
		}
		if err := r.put(replyLine{"3", "new"}); err != nil {
			t.Fatal(err)
		}
		if reply, ok := open("a").get("3"); !ok || reply != "new" {
			t.Fatalf("cut at %d: the added reply is lost", cut)
		}
	}
	if _, ok := open("b").get("3"); ok {
		t.Error("another judge has the reply too")
	}
	var none *replies
	if _, ok := none.get("1"); ok || none.put(replyLine{"1", "x"}) != nil {
		t.Error("a reply is stored without a folder")
	}
	if _, err := openReplies(path, "x"); err == nil || !strings.Contains(err.Error(), "folder of judges' replies") {
		t.Error(err)
	}
}

// A flipped bit in the file never gives another reply, and neither does a line of another judge or of an earlier
// version: the question is asked again.
func TestRepliesDamaged(t *testing.T) {
	dir := t.TempDir()
	r, err := openReplies(dir, "a")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.put(replyLine{"1", "yes"}, replyLine{"2", "no"}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(r.path)
	if err != nil {
		t.Fatal(err)
	}
	known := func(judge string, text []byte) map[string]string {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, judge+".jsonl"), text, 0o644); err != nil {
			t.Fatal(err)
		}
		r, err := openReplies(dir, judge)
		if err != nil {
			t.Fatal(err)
		}
		return r.known
	}
	random := rand.New(rand.NewPCG(25, 8))
	for range 200 {
		at := random.IntN(len(text))
		flipped := bytes.Clone(text)
		flipped[at] ^= 1 << random.IntN(8)
		for question, reply := range known("a", flipped) {
			if reply != r.known[question] {
				t.Fatalf("byte %d changed: the reply to %q is %q", at, question, reply)
			}
		}
	}
	if n := len(known("b", text)); n != 0 {
		t.Errorf("%d replies of another judge", n)
	}
	if n := len(known("a", []byte(`{"question":"1","reply":"yes"}`+"\n"))); n != 0 {
		t.Errorf("%d replies without a checksum", n)
	}
}
