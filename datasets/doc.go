// Package datasets reads data files as preferences and dialogues, and tokenises them for training.
//
// The way of a row, with the functions that take each step:
//
//	row of a file
//	  │  readExample: the schema that fits the row's columns
//	Preference, Dialogue
//	  │  chat.Template.Render, tokenizer.Tokenizer.Encode: TextFormat.TokenizePreferences, TokenizeDialogues
//	batch.Pair, batch.Document
//	  │  batch.Loader.Next: a micro-batch
//	  │  batch.Split, batch.Fill: the static shapes of the programs
//	batch.Batch
//
// OpenSource finds the files of a data set: embedded, local or on a hub (package hub). A Mixture reads several sets,
// takes their fractions and shuffles them. What does not fit is cut, dropped or packed by TextFormat and listed in
// Drops. ReadPrompts reads prompts that are to be answered.
//
// The package imports no tensors: package bfpo/step carries a Batch onto a device. A row that fits no layout, a broken
// file and a missing split are errors that name the set, the file and the row.
package datasets
