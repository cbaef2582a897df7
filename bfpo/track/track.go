package track

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/bfpo-go/bfpo/graph/atomicfile"
)

// Tracker receives the metrics of every optimizer step and every evaluation, in order. Terminal, MetricsLog,
// EventFile and Trackers implement it.
type Tracker interface {
	Track(m Metrics) error
	Close() error
}

// Trackers passes the metrics on to several trackers, one after the other.
type Trackers []Tracker

// Track stops at the first tracker that fails. Metrics with a NaN or an infinite value reach no tracker: the error is
// a *NonFiniteError.
func (ts Trackers) Track(m Metrics) error {
	if err := m.CheckFinite(); err != nil {
		return err
	}
	for _, t := range ts {
		if err := t.Track(m); err != nil {
			return err
		}
	}
	return nil
}

// Close closes all trackers, even if one of them fails.
func (ts Trackers) Close() error {
	var errs []error
	for _, t := range ts {
		errs = append(errs, t.Close())
	}
	return errors.Join(errs...)
}

// MetricsLog writes the file metrics.jsonl: one line per optimizer step and one per evaluation, without buffering.
type MetricsLog struct {
	file    *os.File
	records []Record
}

// OpenMetricsLog opens or creates the file at path and keeps its records up to the given step. A new run passes 0,
// which empties the file; a resumed run passes its checkpoint's step. Later records and an incomplete last line are
// cut off. A damaged line is an error.
func OpenMetricsLog(path string, step int) (*MetricsLog, error) {
	file, err := atomicfile.OpenUpdate(path, os.O_CREATE)
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

// keep reads the records up to a step and returns their size in bytes.
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

// Track appends one line. A NaN or an infinite value is a *NonFiniteError, and nothing is written.
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

// Records returns all records of the run so far, including the ones that were kept from before a resume. Records that
// Track has added come without Rows and Micro, to save memory.
func (l *MetricsLog) Records() []Record { return l.records }

// Sync syncs the file to disk.
func (l *MetricsLog) Sync() error {
	if err := l.file.Sync(); err != nil {
		return fmt.Errorf("write metrics: %w", err)
	}
	return nil
}

// Close syncs the file to disk and closes it.
func (l *MetricsLog) Close() error {
	if err := errors.Join(l.file.Sync(), l.file.Close()); err != nil {
		return fmt.Errorf("close metrics: %w", err)
	}
	return nil
}

// ReadMetrics reads a metrics.jsonl. An incomplete last line, which a killed run leaves, is ignored.
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

// readRecords returns the records and the offset of the end of each record's line.
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
		// Every line repeats the same names: one copy of each name is kept.
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

// window collects the records of the steps since the last logged one. Every logging_steps-th step is logged, and the
// first and the last.
type window struct {
	every, total int
	pending      []Record
}

// add adds a step's record. If the step is to be logged, due is true, mean is the average over the window, and the
// window is emptied.
func (w *window) add(r Record) (mean Record, due bool) {
	w.pending = append(w.pending, r)
	if r.Step != 1 && r.Step%max(w.every, 1) != 0 && r.Step != w.total {
		return Record{}, false
	}
	mean = average(w.pending)
	w.pending = w.pending[:0]
	return mean, true
}

// LogHistory returns transformers' log_history of these records: every evaluation, and the mean over every
// logging_steps steps.
func LogHistory(records []Record, loggingSteps, totalSteps int) []Record {
	var history []Record
	w := window{every: loggingSteps, total: totalSteps}
	for _, r := range records {
		if r.IsEvaluation() {
			history = append(history, r)
		} else if mean, due := w.add(r); due {
			history = append(history, mean)
		}
	}
	return history
}
