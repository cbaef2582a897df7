package track

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// Tracker is told of every optimizer step and every evaluation, in order. Terminal, MetricsLog and EventFile are trackers.
type Tracker interface {
	Track(m Metrics) error
	Close() error
}

// Trackers tells each of several trackers in turn.
type Trackers []Tracker

// Track stops at the first tracker that fails. Metrics with a value that is NaN or infinite reach none of them: the error is a *NonFiniteError.
func (ts Trackers) Track(m Metrics) error {
	if err := m.Check(); err != nil {
		return err
	}
	for _, t := range ts {
		if err := t.Track(m); err != nil {
			return err
		}
	}
	return nil
}

// Close closes all trackers, also after an error.
func (ts Trackers) Close() error {
	var errs []error
	for _, t := range ts {
		errs = append(errs, t.Close())
	}
	return errors.Join(errs...)
}

// MetricsLog is the file metrics.jsonl: one line per optimizer step and one per evaluation, each written out at once.
type MetricsLog struct {
	file    *os.File
	records []Record
}

// OpenMetricsLog opens the file at path, creates it where it is missing, and keeps the records up to the given step: 0 starts over, a resumed run
// passes its checkpoint's step. Records after that step and a torn last line are cut off. A damaged line before it is an error.
func OpenMetricsLog(path string, step int) (*MetricsLog, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open metrics: %w", err)
	}
	l := &MetricsLog{file: file}
	size, err := l.keep(step)
	if err == nil {
		err = file.Truncate(size)
	}
	if err == nil {
		_, err = file.Seek(size, io.SeekStart)
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("metrics %s: %w", path, err)
	}
	return l, nil
}

// keep reads the records up to a step and returns how many bytes they take.
func (l *MetricsLog) keep(step int) (size int64, err error) {
	if step <= 0 {
		return 0, nil
	}
	records, ends, err := readRecords(l.file)
	if err != nil {
		return 0, err
	}
	for i, r := range records {
		if r.Step > step {
			break
		}
		l.records, size = append(l.records, r), ends[i]
	}
	return size, nil
}

// Track appends one line. Values that are NaN or infinite are refused with a *NonFiniteError and nothing is written.
func (l *MetricsLog) Track(m Metrics) error {
	record := m.Record()
	line, err := record.MarshalJSON()
	if err != nil {
		return err
	}
	if _, err := l.file.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("write metrics: %w", err)
	}
	record.Rows, record.Micro = nil, nil
	l.records = append(l.records, record)
	return nil
}

// Records are all records of the run so far, those before a resume included, without rows and micro of those tracked here.
func (l *MetricsLog) Records() []Record { return l.records }

// Sync writes the file through to the disk.
func (l *MetricsLog) Sync() error {
	if err := l.file.Sync(); err != nil {
		return fmt.Errorf("write metrics: %w", err)
	}
	return nil
}

// Close writes the file through to the disk and closes it.
func (l *MetricsLog) Close() error {
	if err := errors.Join(l.file.Sync(), l.file.Close()); err != nil {
		return fmt.Errorf("close metrics: %w", err)
	}
	return nil
}

// ReadMetrics reads a metrics.jsonl; a torn last line, as a killed run leaves it, is left out.
func ReadMetrics(path string) ([]Record, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	defer file.Close()
	records, _, err := readRecords(file)
	if err != nil {
		return nil, fmt.Errorf("metrics %s: %w", path, err)
	}
	return records, nil
}

// readRecords returns the records and the offset at which each one's line ends.
func readRecords(r io.Reader) (records []Record, ends []int64, err error) {
	lines, offset := bufio.NewReader(r), int64(0)
	names := map[string]string{}
	for number := 1; ; number++ {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return records, ends, nil
		}
		if err != nil {
			return nil, nil, err
		}
		var record Record
		if err := json.Unmarshal(line, &record); err != nil {
			return nil, nil, fmt.Errorf("line %d: %w", number, err)
		}
		// Every line repeats the same names: keep one copy of each.
		for i, v := range record.Values {
			if _, ok := names[v.Name]; !ok {
				names[v.Name] = v.Name
			}
			record.Values[i].Name = names[v.Name]
		}
		offset += int64(len(line))
		records, ends = append(records, record), append(ends, offset)
	}
}

// window gathers the records of the steps between two logged ones, as logging_steps says; the first step and the last are always logged.
type window struct {
	every, total int
	pending      []Record
}

// add returns the mean over the window when the step is one to log.
func (w *window) add(r Record) (mean Record, due bool) {
	w.pending = append(w.pending, r)
	if r.Step != 1 && r.Step%max(w.every, 1) != 0 && r.Step != w.total {
		return Record{}, false
	}
	mean = average(w.pending)
	w.pending = w.pending[:0]
	return mean, true
}

// LogHistory is what transformers' log_history holds of these records: evaluations, and the mean over every logging_steps steps.
func LogHistory(records []Record, loggingSteps, totalSteps int) []Record {
	var history []Record
	w := window{every: loggingSteps, total: totalSteps}
	for _, r := range records {
		if r.Evaluation() {
			history = append(history, r)
		} else if mean, due := w.add(r); due {
			history = append(history, mean)
		}
	}
	return history
}
