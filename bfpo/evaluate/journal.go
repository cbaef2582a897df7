package evaluate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/bfpo-go/bfpo/bfpo/evaluate/judge"
	"github.com/bfpo-go/bfpo/graph/atomicfile"
	"github.com/bfpo-go/bfpo/graph/checksum"
)

// journal records the finished chunks and verdicts of an evaluation. The first line of its file identifies the
// evaluation; each further line holds one chunk, or the verdicts of one report of the judge. All lines are sealed with
// checksums, the further ones under the evaluation's digest. A line that a kill truncated is cut off, and a damaged one
// is skipped: its chunk is computed again.
type journal struct {
	file     *os.File
	key      string                               // of the lines' checksums: the evaluation's digest
	done     map[int][]outcome                    // by chunk
	verdicts map[judgedTask]map[int]judge.Verdict // by document
}

// judgedTask is a task rated by one judge.
type judgedTask struct {
	judge string // the judge's digest
	task  int    // the task's place in the plan
}

// journalName is the journal's file in the output folder. It is deleted once results.json is written.
const journalName = "unfinished.jsonl"

// headerKey is the key of the checksum of a journal's first line.
const headerKey = "evaluation"

// outcome is the model's result on one document: the log-likelihoods of its choices in nats, or a generated answer.
type outcome struct {
	LogLikelihoods []float64 `json:"loglikelihoods,omitempty"`
	Greedy         []bool    `json:"is_greedy,omitempty"`
	Answer         string    `json:"answer,omitempty"`
	IDs            []int32   `json:"ids,omitempty"`
	Stop           string    `json:"stop,omitempty"`
}

// journalLine is one line of the journal after the first: a chunk or a judge's verdicts.
type journalLine struct {
	Chunk     int             `json:"chunk"` // -1 if the line has none
	Outcomes  []outcome       `json:"outcomes,omitempty"`
	Judge     string          `json:"judge,omitempty"`
	Task      int             `json:"task,omitempty"`
	Documents []int           `json:"documents,omitempty"`
	Verdicts  []judge.Verdict `json:"verdicts,omitempty"`
}

// ErrDifferentEvaluation is wrapped by the error of an evaluation whose folder holds an unfinished evaluation of
// something else.
var ErrDifferentEvaluation = errors.New("it holds an unfinished evaluation of something else")

// openJournal opens the journal of an evaluation, or starts one. sizes are the numbers of documents in the chunks. The
// error wraps ErrDifferentEvaluation if the journal has another identity. log gets a line about damage.
func openJournal(dir string, identity Identity, sizes []int, log *slog.Logger) (*journal, error) {
	path := filepath.Join(dir, journalName)
	j := &journal{
		key: identity.Digest(), done: map[int][]outcome{}, verdicts: map[judgedTask]map[int]judge.Verdict{},
	}
	text, err := readJournalFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	whole, damage, err := j.read(text, identity, sizes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if damage != nil && log != nil {
		log.Warn(fmt.Sprintf("%s: %v; what it held is computed again", path, damage))
	}
	if whole == 0 {
		line, err := checksum.Seal(headerKey, identity)
		if err != nil {
			return nil, err
		}
		if err := atomicfile.Write(path, func(w io.Writer) error {
			_, err := w.Write(line)
			return err
		}); err != nil {
			return nil, err
		}
		whole = len(line)
	}
	if j.file, err = atomicfile.OpenUpdate(path, 0); err != nil {
		return nil, err
	}
	_, err = j.file.Seek(int64(whole), io.SeekStart)
	if err = errors.Join(err, j.file.Truncate(int64(whole))); err != nil {
		j.file.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return j, nil
}

// readJournalFile reads a journal. It follows no link.
func readJournalFile(path string) ([]byte, error) {
	file, err := atomicfile.OpenUpdate(path, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(file)
}

// read takes over the intact lines of a journal and returns the length of all whole lines in bytes, 0 if the first is
// not intact. damage describes lines that were not taken over.
func (j *journal) read(text []byte, identity Identity, sizes []int) (whole int, damage, err error) {
	skipped := 0
	for number := 1; ; number++ {
		end := bytes.IndexByte(text[whole:], '\n')
		if end < 0 {
			break
		}
		sealed := text[whole : whole+end]
		whole += end + 1
		if number == 1 {
			var was Identity
			if err := checksum.Open(headerKey, sealed, &was); err != nil {
				return 0, fmt.Errorf("line 1: %w", err), nil
			}
			if differing := was.differing(identity); len(differing) > 0 {
				return 0, nil, fmt.Errorf("%w: another %s", ErrDifferentEvaluation, listNames(differing))
			}
			continue
		}
		if err := j.take(sealed, sizes); err != nil {
			if skipped++; skipped == 1 {
				damage = fmt.Errorf("line %d: %w", number, err)
			}
		}
	}
	if skipped > 1 {
		damage = fmt.Errorf("%w (and %d more lines)", damage, skipped-1)
	}
	return whole, damage, nil
}

// take takes over one line.
func (j *journal) take(sealed []byte, sizes []int) error {
	var line journalLine
	if err := checksum.Open(j.key, sealed, &line); err != nil {
		return err
	}
	switch {
	case line.Judge != "" && len(line.Documents) == len(line.Verdicts):
		j.recordVerdicts(line)
	case line.Chunk >= 0 && line.Chunk < len(sizes) && len(line.Outcomes) == sizes[line.Chunk]:
		j.done[line.Chunk] = line.Outcomes
	default:
		return fmt.Errorf("it has %d results of chunk %d", len(line.Outcomes), line.Chunk)
	}
	return nil
}

// addChunk records a chunk's outcomes and syncs the file.
func (j *journal) addChunk(number int, outcomes []outcome) error {
	j.done[number] = outcomes
	return j.write(journalLine{Chunk: number, Outcomes: outcomes})
}

// addVerdicts records a judge's verdicts on documents of a task and syncs the file.
func (j *journal) addVerdicts(judge string, task int, documents []int, verdicts []judge.Verdict) error {
	line := journalLine{Chunk: -1, Judge: judge, Task: task, Documents: documents, Verdicts: verdicts}
	j.recordVerdicts(line)
	return j.write(line)
}

func (j *journal) write(l journalLine) error {
	line, err := checksum.Seal(j.key, l)
	if err != nil {
		return err
	}
	if _, err := j.file.Write(line); err != nil {
		return fmt.Errorf("write %s: %w", j.file.Name(), err)
	}
	return j.file.Sync()
}

// recordVerdicts takes over a line's verdicts.
func (j *journal) recordVerdicts(l journalLine) {
	at := judgedTask{l.Judge, l.Task}
	if j.verdicts[at] == nil {
		j.verdicts[at] = map[int]judge.Verdict{}
	}
	for i, document := range l.Documents {
		j.verdicts[at][document] = l.Verdicts[i]
	}
}

// verdictsOf returns the verdicts of the judge with a digest on a task, by document.
func (j *journal) verdictsOf(judge string, task int) map[int]judge.Verdict {
	return j.verdicts[judgedTask{judge, task}]
}

func (j *journal) close() error { return j.file.Close() }
