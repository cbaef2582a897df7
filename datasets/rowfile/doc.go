// Package rowfile reads the rows of data files: JSON objects, one a line or in an array, parquet tables and lines of
// text, also compressed by gzip, zstd or xz.
//
//	file ──decompress──▶ content ──readJSON, readParquet, readLines──▶ rows
//
// Only the columns that are wanted are decoded, so other columns may hold anything. A file is read in memory of about
// its largest row (or row group of parquet). A hostile file is an error before it takes much more memory than that: the
// sizes that compressed and parquet files state are checked before a library allocates them, and what a file decodes to
// is bounded by its size (see the constants in limits.go).
package rowfile
