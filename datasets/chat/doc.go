// Package chat renders dialogues and rows of data with Jinja templates.
//
// A Template turns the messages of a dialogue into the text that a model was trained on: NewTemplate compiles it,
// Template.Render applies it, ReadTemplate finds the template of a pretrained model and ZephyrTemplate is the
// default. A RowTemplate makes a text or a value of the columns of a row, as the task files of lm-evaluation-harness
// do.
//
// What a template sees is what it sees in transformers 5.24: of a message the keys whose value is not null, reasoning
// under the names reasoning_content and thinking whichever name a row has (reasoning is the third), and beside the
// messages the tools, documents and chat_template_kwargs of a row, as TRL 1.16 passes them on (Variables). Where
// transformers leaves a text without its tools, documents or calls of tools because the template does not read them,
// the dialogue is refused. strftime_now tells the beginning of a day.
//
// Templates come with downloads and are not trusted: package jinja bounds what they can do.
//
// The package imports tokenizer only for reading files of a model folder.
package chat
