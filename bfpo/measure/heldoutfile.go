package measure

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"github.com/bfpo-go/bfpo/bfpo/data"
	"github.com/bfpo-go/bfpo/bfpo/evaluate"
	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/graph/atomicfile"
	"github.com/bfpo-go/bfpo/graph/checksum"
)

// maxHeldOutFile is the largest size of a stored measurement in bytes.
const maxHeldOutFile = 256 << 20

// StoredHeldOut is EvaluateHeldOut with a file that keeps the result. A file that was written for the same weights,
// rows, prompts and settings is read instead of measuring again; any other, or a damaged one, is replaced.
func StoredHeldOut(ctx context.Context, rt models.Runtime, c recipe.Config, e recipe.EvalStage, maxTokens int,
	log *slog.Logger, path string,
) (out HeldOut, err error) {
	rows, err := openHeldOut(ctx, rt, c, e, log)
	if err != nil {
		return out, err
	}
	defer rows.checkpoint.Close()
	tokens, err := rows.tokens(ctx, c)
	if err != nil {
		return out, err
	}
	dtype := c.ComputeDType(rt.Device.FastBF16())
	identity, err := evaluationIdentity(rows.checkpoint, rows.language.TemplateSource, dtype, rt.Device.Platform())
	if err != nil {
		return out, err
	}
	key := fmt.Sprint(identity, rt.Version, maxTokens, hex.EncodeToString(rows.language.Digest()), tokens)
	if line, err := atomicfile.ReadLimited(path, maxHeldOutFile); err == nil && checksum.Open(key, line, &out) == nil {
		out.Prompts, out.Tokens = rows.prompts, tokens
		return out, nil
	}
	if out, err = evaluateRows(ctx, rt, c, rows, maxTokens); err != nil {
		return out, err
	}
	out.Tokens = tokens
	line, err := checksum.Seal(key, HeldOut{Preferences: out.Preferences, Answers: out.Answers})
	if err != nil {
		return out, err
	}
	return out, atomicfile.Write(path, func(w io.Writer) error {
		_, err := w.Write(line)
		return err
	})
}

// tokens returns a digest of the pairs and the prompts as tokens.
func (r heldOutRows) tokens(ctx context.Context, c recipe.Config) (string, error) {
	h := sha256.New()
	for _, p := range r.pairs {
		fmt.Fprintln(h, p.ID, p.ChosenSafe, p.RejectedSafe)
		for _, s := range []batch.Sequence{p.Chosen, p.Rejected} {
			fmt.Fprintln(h, s.PromptLength, s.IDs)
		}
	}
	format := data.NewTextFormat(c, r.language, r.checkpoint.Config.MaxPositionEmbeddings)
	for _, p := range r.prompts {
		ids, err := format.EncodePrompt(ctx, p)
		if err != nil {
			return "", fmt.Errorf("prompt %s: %w", p.ID, err)
		}
		fmt.Fprintln(h, ids)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// SamePairs reports whether two models were measured on the same pairs. Models with different tokenizers may not be:
// pairs that are too long are dropped.
func (h HeldOut) SamePairs(other HeldOut) bool {
	same := func(a, b evaluate.Preference) bool { return a.ID == b.ID }
	return slices.EqualFunc(h.Preferences, other.Preferences, same)
}
