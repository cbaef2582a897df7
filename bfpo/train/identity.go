package train

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/checkpoint"
	"github.com/bfpo-go/bfpo/bfpo/data"
	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/rundir"
	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/mistral/config"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// semantics is the version of what training computes. Raise it when the same recipe, model and rows give other weights:
// runs that an earlier version began are then refused instead of continued by other rules.
const semantics = 2

// heldOutSet is the name of the held-out set in an Identity.
const heldOutSet = "held out"

// identify returns the identity of a run on these inputs. Its costly part, the digests of the weights, is computed once
// for a model.
func identify(in data.Inputs) (*checkpoint.Identity, error) {
	weights, err := in.Checkpoint.TensorDigests()
	if err != nil {
		return nil, err
	}
	values, err := configValues(in.Checkpoint.Config)
	if err != nil {
		return nil, err
	}
	template := sha256.Sum256([]byte(in.Tokenizer.TemplateSource))
	i := &checkpoint.Identity{
		Semantics: semantics, Weights: weights, Config: values, Rows: map[string]string{},
		Tokenizer: hex.EncodeToString(in.Tokenizer.Digest()), ChatTemplate: hex.EncodeToString(template[:]),
	}
	sets := in.Sets
	for name, set := range map[string]data.Set{"main": sets.Main, "buffer": sets.Buffer, heldOutSet: sets.HeldOut} {
		if set.Rows > 0 {
			i.Rows[name] = set.Digest()
		}
	}
	return i, nil
}

// identity is identify with what the device contributes.
func (s *Stage) identity() (*checkpoint.Identity, error) {
	i, err := identify(s.Inputs)
	if err != nil {
		return nil, err
	}
	i.Platform = s.Device.Platform()
	if programs := s.Plan.Programs; programs.Grads.Key != "" {
		sum := sha256.Sum256([]byte(programs.Grads.Key + programs.Apply.Key))
		i.Programs = hex.EncodeToString(sum[:16])
	}
	return i, nil
}

// configValues returns the values of a config under the names of config.json's keys.
func configValues(c config.Config) (map[string]string, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return nil, err
	}
	values := map[string]string{}
	for name, value := range fields {
		values[keyName(name)] = string(value)
	}
	return values, nil
}

// keyName returns the key of config.json for a field of config.Config: rope_theta for RopeTheta.
func keyName(field string) string {
	field = strings.NewReplacer("TokenIDs", "TokenId", "ID", "Id", "RMS", "Rms", "BOS", "Bos", "EOS", "Eos",
		"DType", "TorchDtype").Replace(field)
	var b strings.Builder
	for i, r := range field {
		if r >= 'A' && r <= 'Z' && i > 0 {
			b.WriteByte('_')
		}
		b.WriteString(strings.ToLower(string(r)))
	}
	return b.String()
}

// checkIdentity refuses to continue from something, such as a checkpoint, that was made with other things than now.
// heldOut is whether the held-out rows count too. The error is a *usage.Error that names what differs and what to do.
func checkIdentity(what string, was, now *checkpoint.Identity, model *pretrained.Model, heldOut bool) error {
	found := differences(was, now, model, heldOut)
	if len(found) == 0 {
		return nil
	}
	return usage.Errorf("%s: %s; use what it began with, or another -out", what, strings.Join(found, "; "))
}

// CheckBase refuses to merge the weights of a checkpoint, which has the identity was, into another model than the one
// that its run trained, or one with another tokenizer or chat template. The error is a *usage.Error.
func CheckBase(checkpoint string, was *checkpoint.Identity, model *pretrained.Model, t models.ChatTokenizer) error {
	now, err := identify(data.Inputs{Checkpoint: model, Tokenizer: t})
	if err != nil {
		return err
	}
	now.Semantics, now.Rows = was.Semantics, was.Rows // neither is needed to merge weights
	if found := differences(was, now, model, false); len(found) > 0 {
		return usage.Errorf("checkpoint %s: %s; restore the model that the run was begun with", checkpoint,
			strings.Join(found, "; "))
	}
	return nil
}

// differences names what differs between the identities of a run then and now, as sentences.
func differences(was, now *checkpoint.Identity, model *pretrained.Model, heldOut bool) (found []string) {
	said := map[checkpoint.Part]int{}
	for _, d := range was.Differences(*now) {
		if d.Part == checkpoint.PartRows && (d.Name == heldOutSet && !heldOut || len(found) > 0) {
			continue // other rows follow from another tokenizer or template
		}
		if said[d.Part]++; said[d.Part] == 1 {
			found = append(found, describeDifference(d, was, now, model))
		}
	}
	for _, part := range []checkpoint.Part{checkpoint.PartWeights, checkpoint.PartConfig} {
		if n := said[part] - 1; n > 0 {
			found = append(found, fmt.Sprintf("%d more of the model's %s differ", n, part))
		}
	}
	return found
}

// describeDifference names one difference between a run as it was and now.
func describeDifference(d checkpoint.Difference, was, now *checkpoint.Identity, model *pretrained.Model) string {
	between := fmt.Sprintf("(then %s, now %s)", orNone(d.Was), orNone(d.Now))
	switch d.Part {
	case checkpoint.PartSemantics:
		return fmt.Sprintf("it was made by a version of bfpo that trains by other rules (%d, now %d)",
			was.Semantics, now.Semantics)
	case checkpoint.PartWeights:
		return fmt.Sprintf("it was made with another model: tensor %s of %s differs %s", d.Name, model.TensorFile(d.Name),
			between)
	case checkpoint.PartConfig:
		return fmt.Sprintf("it was made with another model: %s of %s differs %s", d.Name, config.ConfigFile, between)
	case checkpoint.PartTokenizer:
		return fmt.Sprintf("it was made with another tokenizer: the files of %s differ %s", model.Path, between)
	case checkpoint.PartTemplate:
		return fmt.Sprintf("it was made with another chat template %s", between)
	}
	return fmt.Sprintf("it was made with other data: the rows of the %s set differ %s", d.Name, between)
}

// orNone returns a value for a message: "none" for no value, and the first 12 digits of a digest.
func orNone(value string) string {
	if value == "" {
		return "none"
	}
	words := strings.Fields(value)
	for i, word := range words {
		if _, err := hex.DecodeString(word); err == nil && len(word) >= 32 {
			words[i] = word[:12]
		}
	}
	return strings.Join(words, " ")
}

// logNames lists the files of a run that a resumed run appends to.
func logNames() []string { return []string{rundir.Metrics, rundir.Answers} }

// markLogs marks the logs in a run's folder as they are.
func markLogs(dir string) (checkpoint.Logs, error) {
	logs := checkpoint.Logs{}
	for _, name := range logNames() {
		mark, err := checkpoint.NewMark(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return nil, err
		}
		logs[name] = mark
	}
	return logs, nil
}

// checkLogs compares the logs in a run's folder with a checkpoint's marks. It returns the names of the logs that are
// not there.
func checkLogs(dir string, logs checkpoint.Logs) (missing []string, err error) {
	for _, name := range logNames() {
		mark, marked := logs[name]
		if !marked {
			continue
		}
		path := filepath.Join(dir, name)
		if err := mark.Check(path); errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, name)
		} else if err != nil {
			return nil, usage.Errorf("%w: restore the file, or remove it to go on without the earlier lines", err)
		}
	}
	return missing, nil
}
