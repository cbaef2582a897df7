// Package checkpoint saves the state of a training run and opens it again.
//
// A checkpoint is a folder step-N with the files that the caller writes (tensors and State) and manifest.json, which
// lists them with their sizes and SHA-256. Save makes it complete or not at all: after an error, a full disk or a
// loss of power there is either the whole checkpoint or none. Open reads every byte and refuses a checkpoint that is
// incomplete or damaged; Latest falls back to the newest one that is intact. Prune deletes old checkpoints.
//
// What the files hold is the caller's business, but for two: State, with the Identity of what the run was made with,
// and Logs, which mark the files that a resumed run goes on writing.
package checkpoint
