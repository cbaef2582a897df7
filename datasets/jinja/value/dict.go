package value

import (
	"iter"
	"slices"
)

// fewKeys is how many keys are searched one by one.
const fewKeys = 8

// NewDict returns a dict of texts to values: key, value, key, value, and so on.
func NewDict(pairs ...any) *Dict {
	d := &Dict{}
	for i := 0; i+1 < len(pairs); i += 2 {
		d.Set(pairs[i], pairs[i+1])
	}
	return d
}

// Len returns the number of keys; a nil dict has none.
func (d *Dict) Len() int {
	if d == nil {
		return 0
	}
	return len(d.keys)
}

// find returns the place of a key, or -1.
func (d *Dict) find(m *Meter, key Value) int {
	if d == nil {
		return -1
	}
	k := Key(m, key)
	if d.places != nil {
		if i, ok := d.places[k]; ok {
			return i
		}
		return -1
	}
	for i, have := range d.keys {
		if Key(m, have) == k {
			return i
		}
	}
	return -1
}

// Get returns the value of a key that no template made.
func (d *Dict) Get(key Value) (Value, bool) { return d.Lookup(nil, key) }

// Lookup returns the value of a key. The meter is that of Key, as it is for Store and Delete.
func (d *Dict) Lookup(m *Meter, key Value) (Value, bool) {
	if i := d.find(m, key); i >= 0 {
		return d.values[i], true
	}
	return nil, false
}

// Set sets the value of a key that no template made.
func (d *Dict) Set(key, v Value) { d.Store(nil, key, v) }

// Store sets the value of a key.
func (d *Dict) Store(m *Meter, key, v Value) {
	if i := d.find(m, key); i >= 0 {
		d.values[i] = v
		return
	}
	d.keys, d.values = append(d.keys, key), append(d.values, v)
	switch {
	case d.places != nil:
		d.places[Key(m, key)] = len(d.keys) - 1
	case len(d.keys) > fewKeys:
		d.places = make(map[any]int, 2*fewKeys)
		for i, k := range d.keys {
			d.places[Key(m, k)] = i
		}
	}
}

// Delete removes a key and returns whether it was there.
func (d *Dict) Delete(m *Meter, key Value) bool {
	i := d.find(m, key)
	if i < 0 {
		return false
	}
	d.keys, d.values = slices.Delete(d.keys, i, i+1), slices.Delete(d.values, i, i+1)
	if d.places != nil {
		clear(d.places)
		for i, k := range d.keys {
			d.places[Key(m, k)] = i
		}
	}
	return true
}

// All yields the keys and values in order.
func (d *Dict) All() iter.Seq2[Value, Value] {
	return func(yield func(Value, Value) bool) {
		for i := range d.Len() {
			if !yield(d.keys[i], d.values[i]) {
				return
			}
		}
	}
}

// At returns the key and the value at a place.
func (d *Dict) At(i int) (key, v Value) { return d.keys[i], d.values[i] }

// Copy returns a dict with the same keys and values.
func (d *Dict) Copy(m *Meter) *Dict {
	c := &Dict{}
	m.Items(2 * d.Len())
	for k, v := range d.All() {
		m.Step(4)
		c.Store(m, k, v)
	}
	return c
}
