package judge

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/bfpo-go/bfpo/graph/atomicfile"
	"github.com/bfpo-go/bfpo/graph/checksum"
)

// replies stores the replies of a judge on disk, so that no evaluation asks it a question twice. Each judge has a
// file with one line per question. A nil *replies stores nothing.
type replies struct {
	mu    sync.Mutex
	path  string
	judge string            // the judge's digest, the key of the lines' checksums
	known map[string]string // replies by question
	torn  bool              // the file does not end with a newline
}

// replyLine is one line of the file, sealed with a checksum. Question is a digest of the question.
type replyLine struct {
	Question string `json:"question"`
	Reply    string `json:"reply"`
}

// maxReplies is the largest size of a file of stored replies in bytes.
const maxReplies = 1 << 32

// openReplies reads the stored replies of the judge with a digest. Without a folder ("") it returns nil.
func openReplies(dir, judge string) (*replies, error) {
	if dir == "" {
		return nil, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("folder of judges' replies: %w", err)
	}
	r := &replies{path: filepath.Join(dir, judge+".jsonl"), judge: judge, known: map[string]string{}}
	text, err := atomicfile.ReadLimited(r.path, maxReplies)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("judge's replies: %w", err)
	}
	for line := range bytes.Lines(text) {
		var l replyLine
		// A line that a kill truncated, that is damaged, or that an earlier version wrote without a checksum is not used:
		// the question is asked again.
		if checksum.Open(judge, line, &l) == nil && l.Question != "" {
			r.known[l.Question] = l.Reply
		}
	}
	r.torn = len(text) > 0 && text[len(text)-1] != '\n'
	return r, nil
}

// digestOf returns a digest of a question or a judge, given by its parts.
func digestOf(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// get returns the stored reply to a question, if there is one.
func (r *replies) get(question string) (string, bool) {
	if r == nil {
		return "", false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	reply, ok := r.known[question]
	return reply, ok
}

// put stores replies and syncs the file. It writes them at once, so that the lines of several processes do not mix.
func (r *replies) put(lines ...replyLine) error {
	if r == nil || len(lines) == 0 {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var text bytes.Buffer
	if r.torn {
		text.WriteByte('\n')
	}
	for _, l := range lines {
		line, err := checksum.Seal(r.judge, l)
		if err != nil {
			return err
		}
		text.Write(line)
		r.known[l.Question] = l.Reply
	}
	file, err := os.OpenFile(r.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("judge's replies: %w", err)
	}
	r.torn = true // until everything is written
	_, err = file.Write(text.Bytes())
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("judge's replies: %w", err)
	}
	r.torn = false
	return nil
}
