// Package graph builds the parts of a transformer, and of its training step, as GoMLX graph functions: linear layers,
// norms, attention, rotary embedding, log-probabilities, AdamW, and what sharded weights need.
//
// The package knows no text, no weight files and no run configuration; those belong to datasets, mistral and bfpo.
//
// Comments behind a line give the shape of its result, in these letters:
//
//	B rows of a batch       S tokens of a row      D model width
//	H query heads           K key/value heads      F feed-forward width
//	V vocabulary            N target tokens        P pairs
//	hd head width           T keys, cached ones included
//
// Graph functions panic on bad arguments, as GoMLX's do; device.Program turns such a panic into an error.
package graph
