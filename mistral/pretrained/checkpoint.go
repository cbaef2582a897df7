package pretrained

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/mistral/config"
	"github.com/bfpo-go/bfpo/mistral/gguf"
	"github.com/bfpo-go/bfpo/mistral/safetensors"
)

// Tiny is the name of the built-in model.
const Tiny = "tiny"

// Checkpoint is an open model on disk: weights, config and tokenizer files, whatever form they have there.
type Checkpoint struct {
	Path   string // as given to Open
	Config config.Config

	Source   source
	template *string // replaces the chat template of the source
}

// source is one form of a checkpoint: a Hugging Face folder, a GGUF file, or the built-in model.
type source interface {
	Names() []string                                // tensors
	Info(name string) (safetensors.Tensor, bool)    // a tensor without its Bytes
	Tensor(name string) (safetensors.Tensor, error) // safe for several goroutines
	FileNames() ([]string, error)                   // files of the Hugging Face folder besides the weights
	ReadFile(name string) ([]byte, error)           // fs.ErrNotExist when there is none
	Close() error
}

// Open opens a checkpoint: a Hugging Face folder (config.json, model.safetensors or model.safetensors.index.json), a .gguf file of
// the llama architecture, or the built-in model Tiny. Weights are mapped, not read.
func Open(path string) (*Checkpoint, error) {
	src, err := openSource(path)
	if err != nil {
		return nil, err
	}
	c := &Checkpoint{Path: path, Source: src}
	data, err := src.ReadFile(config.ConfigFile)
	if err == nil {
		c.Config, err = config.Parse(filepath.Join(path, config.ConfigFile), data)
	}
	if err != nil {
		return nil, errors.Join(err, src.Close())
	}
	return c, nil
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

// Tensor returns a tensor by its Hugging Face name. Bytes of a folder lie in the mapped file and are valid until Close; those of a
// GGUF file are made anew at each call: float32 where the file has a quantised type.
func (c *Checkpoint) Tensor(name string) (safetensors.Tensor, error) {
	return c.Source.Tensor(name)
}

// CheckTensors checks that the weights are those of the config: every tensor present, of the right shape and of a float type, and
// none that the network would leave out of the computation. The error names the tensor.
func (c *Checkpoint) CheckTensors() error {
	known := map[string]bool{config.LMHead: true} // a tied model may hold its head all the same
	for _, spec := range c.Config.Tensors() {
		known[spec.Name] = true
		t, ok := c.Source.Info(spec.Name)
		if !ok {
			return fmt.Errorf("%s: tensor %s is missing", c.Path, spec.Name)
		}
		if !slices.Equal(t.Dims, spec.Dims) {
			return fmt.Errorf("%s: tensor %s has shape %v, the config wants %v", c.Path, spec.Name, t.Dims, spec.Dims)
		}
		if load, _ := loader(t.DType); load == nil {
			return fmt.Errorf("%s: tensor %s: dtype %s is not supported (supported: float32, bfloat16, float16)", c.Path, spec.Name, t.DType)
		}
	}
	for _, name := range c.Source.Names() {
		// Old checkpoints keep the rotary frequencies, and reward models a head of their own outside "model.".
		if !known[name] && strings.HasPrefix(name, "model.") && !strings.HasSuffix(name, ".rotary_emb.inv_freq") {
			return fmt.Errorf("%s: tensor %s is not part of a plain %s", c.Path, name, c.Config.Architecture)
		}
	}
	return nil
}

// ReadFile returns a file of the Hugging Face folder (tokenizer.json, ...), made from the metadata when the checkpoint is a GGUF
// file. The error is fs.ErrNotExist when the checkpoint has none of that name.
func (c *Checkpoint) ReadFile(name string) ([]byte, error) {
	if c.template != nil {
		switch name {
		case config.TemplateFile:
			return []byte(*c.template), nil
		case config.TokenizerConf:
			return c.templatedConfig()
		}
	}
	return c.Source.ReadFile(name)
}

// FileNames lists the files that ReadFile knows, sorted, weights left out.
func (c *Checkpoint) FileNames() ([]string, error) {
	names, err := c.Source.FileNames()
	if err != nil {
		return nil, err
	}
	if c.template != nil {
		names = append(names, config.TemplateFile, config.TokenizerConf)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// SetChatTemplate makes the checkpoint, and what is exported from it, carry another chat template: the one it was trained with.
func (c *Checkpoint) SetChatTemplate(template string) { c.template = &template }

// templatedConfig is tokenizer_config.json with the chat template in it.
func (c *Checkpoint) templatedConfig() ([]byte, error) {
	data, err := c.Source.ReadFile(config.TokenizerConf)
	if errors.Is(err, fs.ErrNotExist) {
		data, err = []byte("{}"), nil
	}
	if err != nil {
		return nil, err
	}
	return withTemplate(data, *c.template)
}

// Close releases the files. Bytes that Tensor handed out must not be used any more.
func (c *Checkpoint) Close() error { return c.Source.Close() }
