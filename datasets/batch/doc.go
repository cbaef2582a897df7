// Package batch lays tokenised examples out in the static shapes that a compiled program reads.
//
// An example is a Pair (a prompt with a chosen and a rejected answer) or a Document (a packed row of supervised text).
// The way from a set of examples to a program's inputs:
//
//	Loader.Next ─▶ micro-batch ─ Divide ─▶ one share per device ─ Split ─▶ examples of one batch ─ Fill ─▶ Batch
//
// A micro-batch is one draw of rows from one set, for all devices together: per_device_train_batch_size times devices.
// An optimizer step accumulates several. A Batch is what one device runs in one program call. A program is compiled
// once per Shape, so PlanShapes looks at the micro-batches to come and chooses few shapes that need little padding.
// EpochOrder is the shuffle, the same as numpy's and Hugging Face's datasets, bit for bit.
//
// The package knows no text, no tensors and no files, and imports nothing of this module. An example that fits no shape
// is an error that wraps ErrNoShape; no example is cut or dropped here.
package batch
