// Package chat renders dialogues and rows of data with Jinja templates.
//
// A Template turns the messages of a dialogue into the text that a model was trained on: NewTemplate compiles it,
// Template.Render applies it, ReadTemplate finds the template of a pretrained model and ZephyrTemplate is the
// default. A RowTemplate makes a text or a value of the columns of a row, as the task files of lm-evaluation-harness
// do.
//
// Templates come with downloads and are not trusted: package jinja bounds what they can do.
//
// The package imports tokenizer only for reading files of a model folder.
package chat
