package track

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Record is one line of metrics.jsonl: the numbers of one step or one evaluation with their names, in a fixed order.
type Record struct {
	Step   int
	Epoch  float64
	Values []Value
	Rows   []string     // with log_rows
	Micro  []MicroBatch // with log_rows
}

// Get returns the value with the given name; ok is false if the record has none.
func (r Record) Get(name string) (value float64, ok bool) {
	for _, v := range r.Values {
		if v.Name == name {
			return v.Value, true
		}
	}
	return 0, false
}

// IsEvaluation reports whether this is the record of an evaluation, not of a step.
func (r Record) IsEvaluation() bool {
	return len(r.Values) > 0 && strings.HasPrefix(r.Values[0].Name, "eval_")
}

// MarshalJSON writes one flat object: step, epoch, the values in their order, then rows and micro. A value that is
// NaN or infinite is a *NonFiniteError.
func (r Record) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"step":%d,"epoch":`, r.Step)
	put := func(v any) error {
		text, err := json.Marshal(v)
		b.Write(text)
		return err
	}
	errs := []error{put(r.Epoch)}
	for _, v := range r.Values {
		b.WriteByte(',')
		errs = append(errs, put(v.Name))
		b.WriteByte(':')
		if err := put(v.Value); err != nil {
			errs = append(errs, &NonFiniteError{Step: r.Step, Name: v.Name, Value: v.Value, Rows: r.Rows})
		}
	}
	prefix := ""
	if r.IsEvaluation() {
		prefix = "eval_"
	}
	if r.Rows != nil {
		fmt.Fprintf(&b, `,"%srows":`, prefix)
		errs = append(errs, put(r.Rows))
	}
	if r.Micro != nil {
		fmt.Fprintf(&b, `,"%smicro":`, prefix)
		errs = append(errs, put(r.Micro))
	}
	b.WriteByte('}')
	return b.Bytes(), errors.Join(errs...)
}

// UnmarshalJSON reads what MarshalJSON writes, and keeps the order of the values.
func (r *Record) UnmarshalJSON(text []byte) error {
	*r = Record{}
	d := json.NewDecoder(bytes.NewReader(text))
	if token, err := d.Token(); err != nil || token != json.Delim('{') {
		return fmt.Errorf("want a JSON object, got %.40q", text)
	}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return err
		}
		if err := r.decodeField(d, token.(string)); err != nil {
			return fmt.Errorf("%q: %w", token, err)
		}
	}
	_, err := d.Token()
	return err
}

func (r *Record) decodeField(d *json.Decoder, name string) error {
	switch name {
	case "step":
		return d.Decode(&r.Step)
	case "epoch":
		return d.Decode(&r.Epoch)
	case "rows", "eval_rows":
		return d.Decode(&r.Rows)
	case "micro", "eval_micro":
		return d.Decode(&r.Micro)
	}
	var number json.Number
	if err := d.Decode(&number); err != nil {
		return err
	}
	x, err := strconv.ParseFloat(number.String(), 64)
	r.Values = append(r.Values, Value{name, x})
	return err
}

// average returns a record with the last step's Step and Epoch and, of every value, the mean over the records that
// have it. The values come in the order of first appearance. learning_rate and grad_norm are the last step's, which
// tell more than their means.
func average(records []Record) Record {
	last := records[len(records)-1]
	average := Record{Step: last.Step, Epoch: last.Epoch}
	means, index := []Mean{}, map[string]int{}
	for _, record := range records {
		for _, v := range record.Values {
			i, seen := index[v.Name]
			if !seen {
				i = len(means)
				index[v.Name] = i
				means = append(means, Mean{})
				average.Values = append(average.Values, Value{Name: v.Name})
			}
			means[i].Add(v.Value)
		}
	}
	for i, mean := range means {
		average.Values[i].Value, _ = mean.Value()
	}
	for i, v := range average.Values {
		if v.Name == "learning_rate" || v.Name == "grad_norm" {
			if x, ok := last.Get(v.Name); ok {
				average.Values[i].Value = x
			}
		}
	}
	return average
}
