// Package datasets reads data files as preferences and dialogues, and tokenises them for training.
//
// The way of a row, with the functions that take each step:
//
//	row of a file
//	  │  readExample: the schema that fits the row's columns
//	Preference, Dialogue
//	  │  Mixture: a fraction of each set, then the shuffle
//	Preference, Dialogue of all sets
//	  │  chat.Template.Render, tokenizer.Tokenizer.Encode: TextFormat.TokenizePreferences, TokenizeDialogues
//	batch.Pair, batch.Document
//	  │  step.Stream.Next: a micro-batch that batch.Loader draws
//	  │  batch.Divide, batch.Split, batch.Fill: one share per device, in the static shapes of the programs
//	batch.Batch
//
// OpenSource finds the files of a data set: embedded, local or on a hub (package hub). A Mixture reads several sets,
// takes their fractions and shuffles them. What does not fit is cut, dropped or packed by TextFormat and listed in
// Drops. ReadPrompts reads prompts that are to be answered.
//
// The package imports no tensors: bfpo/step turns a Batch into tensors, and graph/device copies them to a device. A row
// that fits no layout is dropped and counted, or an error with Mixture.Strict. A broken file and a missing split are
// errors. Errors name the set, the file and the row.
package datasets
