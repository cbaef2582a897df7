package pretrained

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/bfpo-go/bfpo/mistral/config"
	"github.com/bfpo-go/bfpo/mistral/gguf"
	"github.com/bfpo-go/bfpo/mistral/safetensors"
)

// Model is an open pretrained model: its config, its weights and its tokenizer files. It has the same form for
// a Hugging Face folder, a GGUF file and the built-in model.
type Model struct {
	Path   string // as given to Open
	Config config.Config
	// Notices says what a user should know about the files, one sentence each.
	Notices []string

	source         source
	template       *string  // replaces the chat template of the source, unless nil
	eosToken       string   // replaces the EOS token of the source, unless ""
	generationEnds []int32  // of generation_config.json
	taughtEnds     []int32  // see AddEndTokens
	unreadKeys     []string // of generation_config.json, see GenerationNotice
	readings       readings
	present        []string // the names of the source's files when it was opened

	digesting sync.Once // see TensorDigests
	digests   map[string]string
	digestErr error
}

// source is where a model comes from: a Hugging Face folder, a GGUF file, or the built-in model.
type source interface {
	Names() []string                                // of the tensors
	Info(name string) (safetensors.Tensor, bool)    // the tensor without its Bytes
	Tensor(name string) (safetensors.Tensor, error) // may be called from several goroutines
	FileNames() ([]string, error)                   // of the Hugging Face folder, without the weights
	ReadFile(name string) ([]byte, error)           // fs.ErrNotExist if there is no such file
	Close() error
}

// Open opens a pretrained model: a Hugging Face folder (config.json, and model.safetensors or
// model.safetensors.index.json), a .gguf file of the llama architecture, or the built-in model Tiny. The weights
// are mapped into memory, not read.
func Open(path string) (*Model, error) {
	src, err := openSource(path)
	if err != nil {
		return nil, err
	}
	c := &Model{Path: path, source: src}
	if c.present, err = src.FileNames(); err == nil {
		err = c.readConfig()
	}
	if err == nil {
		err = errors.Join(c.readEndTokens(), c.untieHead())
	}
	if err != nil {
		return nil, errors.Join(err, src.Close())
	}
	if notice := describeUnused(c.Config, unusedTensors(c.Config, src.Names())); notice != "" {
		c.Notices = append(c.Notices, fmt.Sprintf("%s: %s", path, notice))
	}
	return c, nil
}

// readConfig reads config.json, or what a GGUF file has in its place.
func (c *Model) readConfig() error {
	data, err := c.source.ReadFile(config.ConfigFile)
	if err != nil {
		return err
	}
	c.Config, err = config.Parse(filepath.Join(c.Path, config.ConfigFile), data)
	g, ok := c.source.(*gguf.File)
	if !ok {
		return err
	}
	if err == nil {
		c.Config.RopeFactors = g.RopeFactors()
		err = c.Config.Validate()
	}
	if err != nil {
		return g.ConfigError(err)
	}
	return nil
}

// untieHead makes the head that a folder stores the network's head where the config says that the embedding is the head
// and the two differ, as transformers 5 does.
func (c *Model) untieHead() error {
	if _, stored := c.source.Info(config.LMHead); !stored || !c.Config.TieWordEmbeddings {
		return nil
	}
	head, err := c.source.Tensor(config.LMHead)
	if err != nil {
		return err
	}
	embedding, err := c.source.Tensor(config.EmbedTokens)
	if err != nil {
		return err
	}
	if err := safetensors.CatchFaults(func() error {
		c.Config.TieWordEmbeddings = head.DType == embedding.DType && bytes.Equal(head.Bytes, embedding.Bytes)
		return nil
	}); err != nil {
		return fmt.Errorf("%s: %w", c.Path, err)
	}
	if !c.Config.TieWordEmbeddings {
		c.Notices = append(c.Notices, fmt.Sprintf("%s has tie_word_embeddings true and a %s that differs from the "+
			"embedding: %s is used", c.Path, config.LMHead, config.LMHead))
	}
	return nil
}

// readEndTokens reads the end tokens of generation_config.json, if there is one.
func (c *Model) readEndTokens() error {
	data, err := c.source.ReadFile(config.GenerationConfigFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		c.unreadKeys = config.UnreadGeneration(data)
		c.generationEnds, err = c.Config.ParseEndTokens(filepath.Join(c.Path, config.GenerationConfigFile), data)
		if g, ok := c.source.(*gguf.File); ok && err != nil {
			err = g.ConfigError(err)
		}
	}
	return err
}

// GenerationNotice names the keys of generation_config.json that change which tokens transformers generates and that
// bfpo does not read. It is empty if there are none.
func (c *Model) GenerationNotice() string {
	if len(c.unreadKeys) == 0 {
		return ""
	}
	return fmt.Sprintf("%s sets %s, which bfpo does not read: answers can differ from those of transformers",
		filepath.Join(c.Path, config.GenerationConfigFile), strings.Join(c.unreadKeys, ", "))
}

func openSource(path string) (source, error) {
	if path == Tiny {
		return openTiny()
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", path, err)
	}
	switch {
	case info.IsDir():
		return openFolder(path)
	case strings.EqualFold(filepath.Ext(path), ".gguf"):
		return gguf.Open(path)
	}
	return nil, fmt.Errorf("model %s: neither a Hugging Face folder nor a .gguf file", path)
}

// Tensor returns a tensor by its Hugging Face name. The Bytes of a folder's tensor are part of the mapped file and
// valid until Close. The Bytes of a GGUF file's tensor are made by each call, as float32 if the file's type is
// quantised.
func (c *Model) Tensor(name string) (safetensors.Tensor, error) {
	return c.source.Tensor(name)
}

// CheckTensors checks the weights against the config: every tensor is present with the right shape and a float
// type, and there is no tensor that belongs to the network and would be left out. The error names the tensor.
func (c *Model) CheckTensors() error {
	if err := refuseTensors(c.Config, unusedTensors(c.Config, c.source.Names())); err != nil {
		return fmt.Errorf("%s: %w", c.Path, err)
	}
	for _, spec := range c.Config.Tensors() {
		t, ok := c.source.Info(spec.Name)
		if !ok {
			return fmt.Errorf("%s: tensor %s is missing", c.Path, spec.Name)
		}
		if !slices.Equal(t.Dims, spec.Dims) {
			return fmt.Errorf("%s: tensor %s has shape %v, the config asks for %v", c.Path, spec.Name, t.Dims, spec.Dims)
		}
		if load, _ := loadFunc(t.DType); load == nil {
			return fmt.Errorf("%s: tensor %s: dtype %s is not supported (supported: float32, bfloat16, float16)",
				c.Path, spec.Name, t.DType)
		}
	}
	return nil
}

// ReadFile returns a file of the Hugging Face folder, such as tokenizer.json. For a GGUF file it is built from the
// metadata. The error is fs.ErrNotExist if there is no such file.
func (c *Model) ReadFile(name string) ([]byte, error) {
	if name == config.ChatTemplateFile && c.template != nil {
		return []byte(*c.template), nil
	}
	read := WithEOSToken(c.readUnchanged, c.eosToken)
	if name == config.TokenizerConfigFile && c.template != nil {
		return withKey(read, name, "chat_template", *c.template)
	}
	return read(name)
}

// readUnchanged reads a file of the source, which must be as it was when it was first read.
func (c *Model) readUnchanged(name string) ([]byte, error) {
	data, err := c.source.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) && slices.Contains(c.present, name) {
		return nil, fmt.Errorf("%s: %s was removed while the model was in use: restore it", c.Path, name)
	}
	if err != nil {
		return nil, err
	}
	if err := c.readings.unchanged(name, data); err != nil {
		return nil, fmt.Errorf("%s: %w", c.Path, err)
	}
	return data, nil
}

// FileNames lists the files that ReadFile can return, sorted.
func (c *Model) FileNames() ([]string, error) {
	names, err := c.source.FileNames()
	if err != nil {
		return nil, err
	}
	if c.template != nil {
		names = append(names, config.ChatTemplateFile, config.TokenizerConfigFile)
	}
	if c.eosToken != "" {
		names = append(names, config.TokenizerConfigFile)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// SetChatTemplate replaces the chat template, such as by the template of the training. Export writes the new template.
func (c *Model) SetChatTemplate(template string) { c.template = &template }

// SetEOSToken replaces the tokenizer's EOS token, such as by that of the training; "" keeps the model's. Export writes
// the new token.
func (c *Model) SetEOSToken(token string) { c.eosToken = token }

// chatTemplate returns the model's chat template: chat_template.jinja if there is one, else the template in
// tokenizer_config.json, or "" without either.
func (c *Model) chatTemplate() (string, error) {
	data, err := c.ReadFile(config.ChatTemplateFile)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return string(data), err
	}
	data, err = c.ReadFile(config.TokenizerConfigFile)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return parseTemplate(data)
}

// ReleasePages lets the system drop the weights of a Hugging Face folder that are in memory; weights that are used
// again are read again. For other models it does nothing.
func (c *Model) ReleasePages() {
	if f, ok := c.source.(*folder); ok {
		f.ReleasePages()
	}
}

// CheckUnchanged returns an error if a tensor of the model differs from what an earlier call was given. A program that
// computes with weights and exports them later calls it both times, so that the export is of what was computed with.
func (c *Model) CheckUnchanged(t safetensors.Tensor) error {
	var changed error
	if err := safetensors.CatchFaults(func() error {
		changed = c.readings.unchanged(t.Name, t.Bytes)
		return nil
	}); err != nil {
		return fmt.Errorf("%s: tensor %s: %w", c.Path, t.Name, err)
	}
	if changed != nil {
		return fmt.Errorf("%s: tensor %w", c.Path, changed)
	}
	return nil
}

// Close closes the files. The Bytes of its tensors must not be used afterwards.
func (c *Model) Close() error { return c.source.Close() }
