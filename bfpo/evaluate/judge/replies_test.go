package judge

import (
	"errors"
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
