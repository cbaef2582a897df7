package evaluate

import (
	"bytes"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/bfpo-go/bfpo/bfpo/evaluate/judge"
	"github.com/bfpo-go/bfpo/graph/fuzztest"
)

// journalIdentity and journalSizes describe the evaluation of the journals of these tests.
var (
	journalIdentity = Identity{"model": "m", "seed": "1", "task a": "x"}
	journalSizes    = []int{2, 1, 1}
)

// writtenJournal returns the text of a journal with all chunks and verdicts, and the journal as it was written.
func writtenJournal(t testing.TB) ([]byte, *journal) {
	t.Helper()
	dir := t.TempDir()
	j, err := openJournal(dir, journalIdentity, journalSizes, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(
		j.addChunk(0, []outcome{{LogLikelihoods: []float64{-0.25, -3.5}, Greedy: []bool{true, false}}, {Answer: "one"}}),
		j.addChunk(2, []outcome{{Answer: "two <b>", IDs: []int32{3, 4}, Stop: "eos"}}),
		j.addVerdicts("j", 0, []int{0, 1}, []judge.Verdict{{Judged: true, Score: 1, Reply: "yes"}, {Reply: "?"}}),
		j.addChunk(1, []outcome{{LogLikelihoods: []float64{-1}}}),
		j.close())
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, journalName))
	if err != nil {
		t.Fatal(err)
	}
	return text, j
}

// readJournal reads a journal with the given text. It returns what was taken over and the damage.
func readJournal(text []byte) (j *journal, damage, err error) {
	j = &journal{
		key: journalIdentity.Digest(), done: map[int][]outcome{}, verdicts: map[judgedTask]map[int]judge.Verdict{},
	}
	_, damage, err = j.read(text, journalIdentity, journalSizes)
	return j, damage, err
}

// checkTaken checks that a journal holds nothing that was not written.
func checkTaken(t testing.TB, what string, got, written *journal) {
	t.Helper()
	for chunk, outcomes := range got.done {
		if !reflect.DeepEqual(outcomes, written.done[chunk]) {
			t.Fatalf("%s: chunk %d is %+v, was %+v", what, chunk, outcomes, written.done[chunk])
		}
	}
	for at, verdicts := range got.verdicts {
		for document, v := range verdicts {
			if v != written.verdicts[at][document] {
				t.Fatalf("%s: verdict %+v on document %d of %+v", what, v, document, at)
			}
		}
	}
}

func TestJournalFlippedBits(t *testing.T) {
	text, written := writtenJournal(t)
	whole, damage, err := readJournal(text)
	if err != nil || damage != nil || !reflect.DeepEqual(whole.done, written.done) ||
		!reflect.DeepEqual(whole.verdicts, written.verdicts) {
		t.Fatalf("taken over %+v with damage %v, %v", whole, damage, err)
	}
	random := rand.New(rand.NewPCG(25, 8))
	for range 300 {
		at, bit := random.IntN(len(text)), random.IntN(8)
		flipped := bytes.Clone(text)
		flipped[at] ^= 1 << bit
		got, damage, err := readJournal(flipped)
		if err != nil {
			t.Fatalf("byte %d, bit %d: %v", at, bit, err)
		}
		checkTaken(t, "flipped", got, written)
		if lost := len(got.done) < len(written.done); lost && damage == nil && at < len(text)-1 {
			t.Fatalf("byte %d, bit %d: %d chunks lost without a word", at, bit, len(written.done)-len(got.done))
		}
	}
}

// A line of another evaluation's journal is not taken over, nor is a line of an earlier version, which has no checksum.
func TestJournalForeignLines(t *testing.T) {
	text, written := writtenJournal(t)
	other := &journal{key: "another"}
	var err error
	if other.file, err = os.Create(filepath.Join(t.TempDir(), "other")); err != nil {
		t.Fatal(err)
	}
	if err := other.write(journalLine{Chunk: 0, Outcomes: []outcome{{Answer: "x"}, {Answer: "y"}}}); err != nil {
		t.Fatal(err)
	}
	foreign, err := os.ReadFile(other.file.Name())
	if err != nil {
		t.Fatal(err)
	}
	for what, line := range map[string]string{
		"another evaluation": string(foreign),
		"an earlier version": `{"chunk":0,"outcomes":[{"answer":"x"},{"answer":"y"}]}` + "\n",
	} {
		got, damage, err := readJournal(append(bytes.Clone(text), line...))
		if err != nil || damage == nil || !strings.Contains(damage.Error(), "line 6") || len(got.done) != len(written.done) {
			t.Errorf("%s: %d chunks, damage %v, %v", what, len(got.done), damage, err)
		}
		checkTaken(t, what, got, written)
	}
	old := `{"digest":"d","chunk":-1}` + "\n" + `{"chunk":0,"outcomes":[{"answer":"x"},{"answer":"y"}]}` + "\n"
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, journalName), []byte(old), 0o644); err != nil {
		t.Fatal(err)
	}
	var notices bytes.Buffer
	got, err := openJournal(dir, journalIdentity, journalSizes, slog.New(slog.NewTextHandler(&notices, nil)))
	if err != nil || len(got.done) != 0 || !strings.Contains(notices.String(), "no checksum") {
		t.Errorf("a journal of an earlier version: %+v, notices %q, %v", got.done, notices.String(), err)
	}
}

// The error of another evaluation names what differs.
func TestJournalOfAnotherEvaluation(t *testing.T) {
	dir := t.TempDir()
	j, err := openJournal(dir, journalIdentity, journalSizes, nil)
	if err != nil {
		t.Fatal(err)
	}
	j.close()
	now := Identity{"model": "m", "seed": "2", "task b": "x"}
	_, err = openJournal(dir, now, journalSizes, nil)
	if !errors.Is(err, ErrDifferentEvaluation) || !strings.HasSuffix(err.Error(), "another seed, task a and task b") {
		t.Error(err)
	}
}

// FuzzJournal reads journals of any bytes. They cost no more than their size, and hold nothing that was not written.
func FuzzJournal(f *testing.F) {
	text, written := writtenJournal(f)
	f.Add(text)
	f.Add(text[:len(text)-5])
	f.Add(append(bytes.Clone(text), text...))
	f.Add([]byte(`{"xxh3":"","value":{}}` + "\n"))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, text []byte) {
		fuzztest.Bounded(t, len(text), 10*time.Second, func() {
			j := &journal{
				key: journalIdentity.Digest(), done: map[int][]outcome{}, verdicts: map[judgedTask]map[int]judge.Verdict{},
			}
			whole, _, err := j.read(text, journalIdentity, journalSizes)
			if whole > len(text) || err != nil && !errors.Is(err, ErrDifferentEvaluation) {
				t.Errorf("%d of %d bytes are whole lines, %v", whole, len(text), err)
			}
			checkTaken(t, "fuzzed", j, written)
		})
	})
}
