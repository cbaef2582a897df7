package track

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Record is one line of metrics.jsonl: a step's or an evaluation's numbers under the names they are published by, in a fixed order.
type Record struct {
	Step   int
	Epoch  float64
	Values []Value
	Rows   []string // with log_rows
	Micro  []Micro  // with log_rows
}

// Get is the value of a name; ok is false where the record lacks it.
func (r Record) Get(name string) (value float64, ok bool) {
	for _, v := range r.Values {
		if v.Name == name {
			return v.Value, true
		}
	}
	return 0, false
}

// Evaluation tells an evaluation's record from a step's.
func (r Record) Evaluation() bool {
	return len(r.Values) > 0 && strings.HasPrefix(r.Values[0].Name, "eval_")
}

// MarshalJSON writes one flat object: step, epoch, the values in their order, then rows and micro. NaN and infinity are errors.
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
	if r.Evaluation() {
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

// UnmarshalJSON reads what MarshalJSON wrote and keeps the order of the values.
func (r *Record) UnmarshalJSON(text []byte) error {
	*r = Record{}
	d := json.NewDecoder(bytes.NewReader(text))
	if token, err := d.Token(); err != nil || token != json.Delim('{') {
		return fmt.Errorf("a record is a JSON object: %.40q", text)
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

// average is the record of the last step with each value replaced by its mean over the records that have it, in the order of first appearance.
func average(records []Record) Record {
	last := records[len(records)-1]
	mean := Record{Step: last.Step, Epoch: last.Epoch}
	sums, place := []Mean{}, map[string]int{}
	for _, record := range records {
		for _, v := range record.Values {
			i, seen := place[v.Name]
			if !seen {
				i = len(sums)
				place[v.Name] = i
				sums = append(sums, Mean{})
				mean.Values = append(mean.Values, Value{Name: v.Name})
			}
			sums[i].Add(v.Value)
		}
	}
	for i, sum := range sums {
		mean.Values[i].Value, _ = sum.Value()
	}
	// Of these two the last step's says more than a mean.
	for i, v := range mean.Values {
		if v.Name == "learning_rate" || v.Name == "grad_norm" {
			if x, ok := last.Get(v.Name); ok {
				mean.Values[i].Value = x
			}
		}
	}
	return mean
}
