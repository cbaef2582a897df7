// Package datasets turns files of preferences and dialogues into batches of token ids.
//
// One example's way is written in its types:
//
//	row ─Preference─▶ template + tokenizer ─Pair─▶ Loader ─Batch
//
// The package knows no tensors and imports no GoMLX: package bfpo carries a Batch onto a device.
//
// Hub has its own client, although go-huggingface reads the same cache. That library (v0.4.0) compares no hash or size,
// begins an interrupted file again, returns no error when a connection breaks in the middle of a file, asks for a
// revision's commit once and never again, and takes neither a context for the listing nor an http.Client. Hub checks
// every file against the listing, continues downloads, falls back to the cache where no server answers, and only the
// listing would be left for the library, which is 40 lines here.
package datasets
