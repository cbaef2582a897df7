// Package chat renders dialogues and rows of data with Jinja templates, in a sandbox.
//
// A Template turns the messages of a dialogue into the text that a model was trained on: NewTemplate compiles it,
// Template.Render applies it, ReadTemplate finds the template of a pretrained model and ZephyrTemplate is the
// default. A RowTemplate makes a text or a value of the columns of a row, as the task files of lm-evaluation-harness
// do.
//
// Templates come with downloads and are not trusted. They see only the variables that they are given, read no files and
// have no side effects; their source is checked before it runs (checkTemplate), and a budget bounds time, memory and
// nesting while it runs. What the sandbox lacks, such as include and import, and what exceeds the budget are errors.
//
// The package imports tokenizer only for reading files of a model folder.
package chat
