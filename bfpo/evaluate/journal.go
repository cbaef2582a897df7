package evaluate

import (
	"github.com/bfpo-go/bfpo/graph/atomicfile"

	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/bfpo-go/bfpo/bfpo/evaluate/judge"
)

// journal records the finished chunks and verdicts of an evaluation. The first line of its file identifies the
// evaluation; each further line holds one chunk, or the verdicts of one report of the judge. A line that a kill
// truncated is discarded.
type journal struct {
	file     *os.File
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

// outcome is the model's result on one document: the log-likelihoods of its choices in nats, or a generated answer.
type outcome struct {
	LogLikelihoods []float64 `json:"loglikelihoods,omitempty"`
	Greedy         []bool    `json:"is_greedy,omitempty"`
	Answer         string    `json:"answer,omitempty"`
	IDs            []int32   `json:"ids,omitempty"`
	Stop           string    `json:"stop,omitempty"`
}

// journalLine is one line of the journal: the first has a digest, the others a chunk or a judge's verdicts.
type journalLine struct {
	Digest    string          `json:"digest,omitempty"`
	Chunk     int             `json:"chunk"` // -1 if the line has none
	Outcomes  []outcome       `json:"outcomes,omitempty"`
	Judge     string          `json:"judge,omitempty"`
	Task      int             `json:"task,omitempty"`
	Documents []int           `json:"documents,omitempty"`
	Verdicts  []judge.Verdict `json:"verdicts,omitempty"`
}

// ErrDifferentEvaluation is wrapped by the error of an evaluation whose folder holds an unfinished evaluation of
// something else.
var ErrDifferentEvaluation = errors.New("it holds an unfinished evaluation of something else " +
	"(another model, other tasks, rows or settings)")

// openJournal opens the journal of an evaluation, or starts one. sizes are the numbers of documents in the chunks. The
// error wraps ErrDifferentEvaluation if the journal has another digest.
func openJournal(dir, digest string, sizes []int) (*journal, error) {
	path := filepath.Join(dir, journalName)
	j := &journal{done: map[int][]outcome{}, verdicts: map[judgedTask]map[int]judge.Verdict{}}
	text, err := readJournal(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	whole, err := j.read(text, digest, sizes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if whole == 0 {
		line, err := json.Marshal(journalLine{Digest: digest, Chunk: -1})
		if err != nil {
			return nil, err
		}
		if err := atomicfile.Write(path, func(w io.Writer) error {
			_, err := w.Write(append(line, '\n'))
			return err
		}); err != nil {
			return nil, err
		}
		whole = len(line) + 1
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

// readJournal reads a journal. It follows no link.
func readJournal(path string) ([]byte, error) {
	file, err := atomicfile.OpenUpdate(path, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(file)
}

// read takes over the whole lines of a journal and returns their length in bytes.
func (j *journal) read(text []byte, digest string, sizes []int) (whole int, err error) {
	for {
		end := bytes.IndexByte(text[whole:], '\n')
		if end < 0 {
			return whole, nil
		}
		var line journalLine
		if json.Unmarshal(text[whole:whole+end], &line) != nil {
			return whole, nil
		}
		switch {
		case whole == 0 && line.Digest != digest:
			return 0, ErrDifferentEvaluation
		case whole > 0 && line.Judge != "" && len(line.Documents) == len(line.Verdicts):
			j.recordVerdicts(line)
		case whole > 0 && (line.Chunk < 0 || line.Chunk >= len(sizes) || len(line.Outcomes) != sizes[line.Chunk]):
			return whole, nil
		case whole > 0:
			j.done[line.Chunk] = line.Outcomes
		}
		whole += end + 1
	}
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
	line, err := json.Marshal(l)
	if err != nil {
		return err
	}
	if _, err := j.file.Write(append(line, '\n')); err != nil {
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
