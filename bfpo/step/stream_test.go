package step

import (
	"fmt"
	"reflect"
	"runtime"
	"testing"
	"time"

	"github.com/bfpo-go/bfpo/datasets/batch"
)

func streamOf(t *testing.T, epochs int) *stream[batch.Document] {
	t.Helper()
	var rows []batch.Document
	for i := range 7 {
		rows = append(rows, batch.Document{ID: fmt.Sprint("doc#", i), IDs: []int32{1, int32(10 + i), 2}, Starts: []int{0}})
	}
	loader := &batch.Loader[batch.Document]{Rows: rows, Size: 2, Epochs: epochs, Shuffle: true, Seed: 3}
	return &stream[batch.Document]{Loader: loader, shapes: PlanShapes(20, 1, loader), devices: 1}
}

// A stream lays batches out ahead of time. From any position to the end, it yields the same batches and cursors as
// laying them out one after the other.
func TestStreamAhead(t *testing.T) {
	type step struct {
		batch MicroBatch
		after batch.Cursor
	}
	var want []step
	plain := streamOf(t, 3)
	for examples, ok := plain.Loader.Next(); ok; examples, ok = plain.Loader.Next() {
		b, err := LayOut(examples, plain.shapes, 1)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, step{b, plain.Cursor()})
	}
	if len(want) != 12 {
		t.Fatalf("%d batches, want 3 epochs of 4", len(want))
	}
	l := streamOf(t, 3)
	for begin := range want {
		if begin > 0 {
			if err := l.Seek(want[begin-1].after); err != nil {
				t.Fatal(err)
			}
		}
		for i, w := range want[begin:] {
			b, ok, err := l.Next()
			if !ok || err != nil || !reflect.DeepEqual(b, w.batch) || l.Cursor() != w.after {
				t.Fatalf("from batch %d, %d later: %v %v %v at %+v, want %v at %+v",
					begin, i, b, ok, err, l.Cursor(), w.batch, w.after)
			}
		}
		if _, ok, err := l.Next(); ok || err != nil {
			t.Fatalf("from batch %d: the stream goes on after the last batch (error %v)", begin, err)
		}
	}
}

// A stream that is left in the middle leaves no goroutine behind, and an error comes with the batch that caused it.
func TestStreamStopsEarly(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 100 {
		l := streamOf(t, 0)
		if _, ok, err := l.Next(); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines, %d before", n, before)
	}
	l := streamOf(t, 1)
	l.Loader.Rows[4].IDs = make([]int32, 1000) // fits no shape
	for i := range 4 {
		if _, ok, err := l.Next(); !ok || (err != nil) != (i == 2) {
			t.Errorf("batch %d: %t, %v", i, ok, err)
		}
	}
}
