package recipe

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/bfpo-go/bfpo/bfpo/usage"
)

// Flag is a flag of a command that stands for a key of the recipe.
type Flag struct {
	Key, Value string // the value as YAML
	Typed      string // the flag as messages show it, "-name=value"
}

// entry is one key of one file, or one flag.
type entry struct {
	key   string
	given string // the key's name in the file or flag, where it differs; see rename
	value *yaml.Node
	file  string // as shown in messages; "" for a flag
	line  int
	flag  string // -set=key=value or another flag, as written; "" for a file
	dir   folder // what relative names in the value are relative to
}

// name returns the key as it was given.
func (e entry) name() string {
	if e.given == "" {
		return e.key
	}
	return e.given
}

// isTrusted reports whether the entry comes from the command line or from a recipe that is part of the program, not
// from a file, which may come from someone else.
func (e entry) isTrusted() bool { return e.file == "" || e.dir.builtin }

// originOf returns where n, a node of the entry's value, was given: "file:line" or the flag.
func (e entry) originOf(n *yaml.Node) string {
	if e.file == "" {
		return e.flag
	}
	return fmt.Sprintf("%s:%d", e.file, n.Line)
}

// origin returns where the entry was given: "file:line" or the flag.
func (e entry) origin() string { return e.originOf(&yaml.Node{Line: e.line}) }

// parseSets makes an entry of each -set flag, and then of each flag that stands for a key.
func parseSets(sets []string, typed []Flag) ([]entry, error) {
	var entries []entry
	for _, set := range sets {
		key, value, ok := strings.Cut(set, "=")
		if !ok || key == "" {
			return nil, usage.Errorf("-set=%s: want key=value", set)
		}
		e, err := Flag{Key: strings.TrimSpace(key), Value: value, Typed: "-set=" + set}.entry()
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	for _, f := range typed {
		e, err := f.entry()
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// entry makes an entry of a flag.
func (f Flag) entry() (entry, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(f.Value), &doc); err != nil {
		return entry{}, usage.Errorf("%s: the value is not YAML: %w", f.Typed, err)
	}
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}
	if len(doc.Content) > 0 {
		n = doc.Content[0]
	}
	return entry{key: f.Key, value: n, flag: f.Typed}, nil
}

// splitMapping makes an entry of each key of a mapping, with the file and folder of the entry parent.
func splitMapping(n *yaml.Node, parent entry) ([]entry, error) {
	if isNull(n) {
		return nil, nil
	}
	if n.Kind != yaml.MappingNode {
		return nil, usage.Errorf("%s: want a mapping of keys to values, got %s", parent.originOf(n), describeNode(n))
	}
	var entries []entry
	var problems []error
	lines := map[string]int{}
	for i := 0; i < len(n.Content); i += 2 {
		key := n.Content[i]
		e := parent
		e.key, e.value, e.line = key.Value, dealias(n.Content[i+1]), key.Line
		if len(problems) >= usage.MaxProblems {
			problems = append(problems, unlisted(e))
			break
		}
		if first, twice := lines[e.key]; twice {
			problems = append(problems, fmt.Errorf("%s: %s: given twice, first in line %d",
				e.origin(), usage.Word(e.key), first))
		}
		lines[e.key] = key.Line
		entries = append(entries, e)
	}
	if len(problems) > 0 {
		return nil, &usage.Error{Err: errors.Join(problems...)}
	}
	return entries, nil
}

// lastEntry returns the last entry of a key, which is the one that counts; ok is false if there is none.
func lastEntry(key string, groups ...[]entry) (last entry, ok bool) {
	for _, e := range slices.Concat(groups...) {
		if e.key == key {
			last, ok = e, true
		}
	}
	return last, ok
}

// without returns the entries of all other keys.
func without(key string, entries []entry) []entry {
	return slices.DeleteFunc(slices.Clone(entries), func(e entry) bool { return e.key == key })
}

// unlisted is the last of many problems; e is the entry that is looked at no more.
func unlisted(e entry) error { return fmt.Errorf("%s: what follows has not been checked", e.origin()) }
