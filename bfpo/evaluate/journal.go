package evaluate

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/bfpo-go/bfpo/bfpo/evaluate/judge"
)

// journal keeps what an evaluation has computed so far: a first line that says of what, then one line a chunk, and one for each call in
// which a judge reports verdicts. A line that a kill cut off is computed again.
type journal struct {
	file     *os.File
	done     map[int][]outcome                    // by chunk
	verdicts map[judgedTask]map[int]judge.Verdict // by document
}

// judgedTask is a task before a judge.
type judgedTask struct {
	judge string // its digest
	task  int
}

// journalName is the journal's file in the output folder. It goes when results.json stands.
const journalName = "unfinished.jsonl"

// outcome is what the model says of one document.
type outcome struct {
	LogLikelihoods []float64 `json:"loglikelihoods,omitempty"`
	Greedy         []bool    `json:"is_greedy,omitempty"`
	Answer         string    `json:"answer,omitempty"`
	IDs            []int32   `json:"ids,omitempty"`
	Stop           string    `json:"stop,omitempty"`
}

// journalLine is one line: the first has a digest, the others a chunk or a judge's verdicts.
type journalLine struct {
	Digest    string          `json:"digest,omitempty"`
	Chunk     int             `json:"chunk"` // -1: none
	Outcomes  []outcome       `json:"outcomes,omitempty"`
	Judge     string          `json:"judge,omitempty"`
	Task      int             `json:"task,omitempty"`
	Documents []int           `json:"documents,omitempty"`
	Verdicts  []judge.Verdict `json:"verdicts,omitempty"`
}

// ErrOther is wrapped by the error of an evaluation whose folder holds an unfinished evaluation of something else.
var ErrDifferentEvaluation = errors.New("it holds an unfinished evaluation of something else (another model, other tasks, rows or settings)")

// openJournal begins or goes on with the journal of an evaluation. sizes are the chunks' numbers of documents.
func openJournal(dir, digest string, sizes []int) (*journal, error) {
	path := filepath.Join(dir, journalName)
	j := &journal{done: map[int][]outcome{}, verdicts: map[judgedTask]map[int]judge.Verdict{}}
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	sound, err := j.read(text, digest, sizes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if sound == 0 {
		line, err := json.Marshal(journalLine{Digest: digest, Chunk: -1})
		if err != nil {
			return nil, err
		}
		if err := writeFile(path, func(w *bufio.Writer) error {
			_, err := w.Write(append(line, '\n'))
			return err
		}); err != nil {
			return nil, err
		}
		sound = len(line) + 1
	}
	if j.file, err = os.OpenFile(path, os.O_RDWR, 0o644); err != nil {
		return nil, err
	}
	_, err = j.file.Seek(int64(sound), io.SeekStart)
	if err = errors.Join(err, j.file.Truncate(int64(sound))); err != nil {
		j.file.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return j, nil
}

// read takes over the lines that are whole, and returns how many bytes they are.
func (j *journal) read(text []byte, digest string, sizes []int) (sound int, err error) {
	for {
		end := bytes.IndexByte(text[sound:], '\n')
		if end < 0 {
			return sound, nil
		}
		var line journalLine
		if json.Unmarshal(text[sound:sound+end], &line) != nil {
			return sound, nil
		}
		switch {
		case sound == 0 && line.Digest != digest:
			return 0, ErrDifferentEvaluation
		case sound > 0 && line.Judge != "" && len(line.Documents) == len(line.Verdicts):
			j.keep(line)
		case sound > 0 && (line.Chunk < 0 || line.Chunk >= len(sizes) || len(line.Outcomes) != sizes[line.Chunk]):
			return sound, nil
		case sound > 0:
			j.done[line.Chunk] = line.Outcomes
		}
		sound += end + 1
	}
}

// add writes a chunk down for good.
func (j *journal) add(number int, outcomes []outcome) error {
	j.done[number] = outcomes
	return j.write(journalLine{Chunk: number, Outcomes: outcomes})
}

// addVerdicts writes down for good what a judge says of some documents of a task.
func (j *journal) addVerdicts(judge string, task int, documents []int, verdicts []judge.Verdict) error {
	line := journalLine{Chunk: -1, Judge: judge, Task: task, Documents: documents, Verdicts: verdicts}
	j.keep(line)
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

// keep enters a line's verdicts.
func (j *journal) keep(l journalLine) {
	at := judgedTask{l.Judge, l.Task}
	if j.verdicts[at] == nil {
		j.verdicts[at] = map[int]judge.Verdict{}
	}
	for i, document := range l.Documents {
		j.verdicts[at][document] = l.Verdicts[i]
	}
}

// judged are a judge's verdicts on a task, by document.
func (j *journal) judged(judge string, task int) map[int]judge.Verdict {
	return j.verdicts[judgedTask{judge, task}]
}

func (j *journal) close() error { return j.file.Close() }
