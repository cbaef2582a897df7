// Package hub downloads models and data sets from a Hugging Face hub into the cache folder that the Python libraries
// use.
//
// It has its own client, although the library go-huggingface reads the same cache. That library (v0.4.0) compares no
// hash or size, begins an interrupted file again, returns no error when a connection breaks in the middle of a file,
// asks for a revision's commit once and never again, and takes neither a context for the listing nor an http.Client.
// This package checks every file against the listing, continues interrupted downloads and falls back to the cache where
// no server answers. Only the listing of files would be left for the library, which is 40 lines here.
package hub
