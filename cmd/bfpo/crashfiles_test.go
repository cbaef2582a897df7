package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/bits"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bfpo-go/bfpo/bfpo/checkpoint"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/rundir"
	"github.com/bfpo-go/bfpo/bfpo/track"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// unreadable returns an error for each file, checkpoint and model below a folder that has its final name and cannot
// be read. Names of unfinished files begin with a dot.
func unreadable(dir string) (broken []error) {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err // without d if there is no folder
		}
		switch name := d.Name(); {
		case path != dir && strings.HasPrefix(name, ".") && d.IsDir():
			return filepath.SkipDir
		case path != dir && strings.HasPrefix(name, "."):
			return nil
		default:
			if err := readable(path, name); err != nil {
				broken = append(broken, err)
			}
		}
		return nil
	})
	if err != nil && !os.IsNotExist(err) { // a run that was killed early has no folder
		broken = append(broken, err)
	}
	return broken
}

// readable reads a file, checkpoint or model of a run by its kind.
func readable(path, name string) error {
	switch {
	case strings.HasPrefix(name, "step-") && filepath.Base(filepath.Dir(path)) == "checkpoints":
		_, err := checkpoint.Open(path)
		return err
	case name == "model":
		model, err := pretrained.Open(path)
		if err != nil {
			return err
		}
		return model.Close()
	case name == "metrics.jsonl":
		_, err := track.ReadMetrics(path)
		return err
	case name == "config.yaml":
		_, err := recipe.Load(nil, path, []string{"redteam_judge=null"}) // a file may not name a service as the judge
		return err
	case filepath.Ext(name) == ".json":
		data, err := os.ReadFile(path)
		if err == nil && !json.Valid(data) {
			err = fmt.Errorf("%s is not JSON", path)
		}
		return err
	}
	return nil
}

// noLeftovers reports temporary files, and checkpoints that cannot be read, in the folder of a run that was not killed.
func noLeftovers(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path != dir && strings.HasPrefix(d.Name(), ".") && d.Name() != rundir.Manifest:
			t.Errorf("%s was left", path)
		case strings.HasPrefix(d.Name(), "step-") && filepath.Base(filepath.Dir(path)) == "checkpoints":
			if _, err := checkpoint.Open(path); err != nil {
				t.Error(err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// differingBits counts the bits in which a file of two runs differs.
func differingBits(t *testing.T, want, got, name string) (n int) {
	t.Helper()
	a, b := read(t, filepath.Join(want, name)), read(t, filepath.Join(got, name))
	n = 8 * (max(len(a), len(b)) - min(len(a), len(b)))
	for i := range min(len(a), len(b)) {
		n += bits.OnesCount8(a[i] ^ b[i])
	}
	return n
}

func sameFile(t *testing.T, want, got, name string) {
	t.Helper()
	if !bytes.Equal(read(t, filepath.Join(want, name)), read(t, filepath.Join(got, name))) {
		t.Errorf("%s differs between %s and %s", name, want, got)
	}
}

// metrics returns a run's records without the values that depend on the clock.
func metrics(t *testing.T, dir string) []track.Record {
	t.Helper()
	records, err := track.ReadMetrics(filepath.Join(dir, "metrics.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if len(records) == 0 {
		t.Errorf("%s has no metrics", dir)
	}
	for i, r := range records {
		kept := r.Values[:0]
		for _, v := range r.Values {
			if !strings.Contains(v.Name, "second") && !strings.HasSuffix(v.Name, "runtime") {
				kept = append(kept, v)
			}
		}
		records[i].Values = kept
	}
	return records
}
