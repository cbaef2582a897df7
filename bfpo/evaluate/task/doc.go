// Package task reads evaluation tasks: task files, and the documents that they make of the rows of a data set.
//
// A task file is YAML with a subset of the keys of lm-evaluation-harness, with the same meaning, plus a few keys in
// place of the harness's Python functions. The built-in tasks are in the folder builtin. A Catalog finds tasks by
// name, and Data.Documents reads a task's rows from local files or from the hub. Values that depend on a row are
// Jinja templates, which package datasets/chat renders.
//
// Unknown keys, unsupported values and rows that lack a column are errors with their file, line or row. Python code
// in a task file is refused.
package task
