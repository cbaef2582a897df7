package pretrained

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/gomlx/compute/dtypes"

	"github.com/bfpo-go/bfpo/graph/atomicfile"

	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/mistral/config"
	"github.com/bfpo-go/bfpo/mistral/safetensors"
)

// shardBytes is the size above which the weights are split over several files, as Hugging Face's tools do.
const shardBytes = 5_000_000_000

// producer marks the weight files of an exported folder, which a later export may replace.
const producer = "bfpo"

// Export writes a Hugging Face folder: weights in dtype (float32, bfloat16 or float16), config.json, generation_config.json,
// tokenizer files and chat template. Trained tensors (float32 masters; nil for none) come from the device, all others straight
// from the checkpoint.
//
// The folder appears under its name when it is complete and on disk; after an error (a full disk) nothing is left behind. A folder
// that Export wrote is replaced; any other folder with something in it is an error.
func Export(dir string, c *Checkpoint, trained *device.Tensors, dtype dtypes.DType) error {
	if err := export(filepath.Clean(dir), c, trained, dtype); err != nil {
		return fmt.Errorf("export to %s: %w", dir, err)
	}
	return nil
}

func export(dir string, c *Checkpoint, trained *device.Tensors, dtype dtypes.DType) (err error) {
	if err := replaceable(dir); err != nil {
		return err
	}
	if err := c.CheckTensors(); err != nil {
		return err
	}
	sources, err := exportSources(c, trained, dtype)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	temp, err := atomicfile.CreateFolder(dir)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(temp)
		}
	}()
	if err := exportFiles(temp, c, dtype); err != nil {
		return err
	}
	if err := writeShards(temp, sources, shardBytes); err != nil {
		return err
	}
	return atomicfile.CommitFolder(temp, dir)
}

// exportSources describes the weights to be written, in the order of Config.Tensors.
func exportSources(c *Checkpoint, trained *device.Tensors, dtype dtypes.DType) ([]safetensors.Source, error) {
	if !slices.Contains([]dtypes.DType{dtypes.Float32, dtypes.BFloat16, dtypes.Float16}, dtype) {
		return nil, fmt.Errorf("dtype %s is not supported (supported: float32, bfloat16, float16)", dtype)
	}
	specs := c.Config.Tensors()
	if trained == nil {
		trained = &device.Tensors{}
	}
	for i, name := range trained.Names {
		at := slices.IndexFunc(specs, func(s config.TensorSpec) bool { return s.Name == name })
		if at < 0 {
			return nil, fmt.Errorf("trained tensor %s: the model has none of that name", name)
		}
		if shape := trained.Shape(i); shape.DType != dtypes.Float32 || !slices.Equal(shape.Dimensions, specs[at].Dims) {
			return nil, fmt.Errorf("trained tensor %s: %s, want float32 %v", name, shape, specs[at].Dims)
		}
	}
	sources := make([]safetensors.Source, len(specs))
	for i, spec := range specs {
		sources[i] = safetensors.Source{Name: spec.Name, DType: dtype, Dims: spec.Dims, Data: func() ([]byte, error) {
			t, err := currentTensor(c, trained, spec)
			if err != nil {
				return nil, err
			}
			return Convert(t, dtype, nil)
		}}
	}
	return sources, nil
}

// currentTensor returns a tensor as it is after training.
func currentTensor(c *Checkpoint, trained *device.Tensors, spec config.TensorSpec) (safetensors.Tensor, error) {
	at := trained.Index(spec.Name)
	if at < 0 {
		return c.Tensor(spec.Name)
	}
	data, err := trained.Whole(at)
	if err != nil {
		return safetensors.Tensor{}, fmt.Errorf("tensor %s: %w", spec.Name, err)
	}
	return safetensors.Tensor{Name: spec.Name, DType: dtypes.Float32, Dims: spec.Dims, Bytes: data}, nil
}

// dtypeName is the name of a dtype in config.json.
func dtypeName(dtype dtypes.DType) string {
	return map[dtypes.DType]string{dtypes.Float32: "float32", dtypes.BFloat16: "bfloat16", dtypes.Float16: "float16"}[dtype]
}

// exportFiles writes everything but the weights.
func exportFiles(dir string, c *Checkpoint, dtype dtypes.DType) error {
	text, err := c.Config.JSON(dtypeName(dtype))
	if err != nil {
		return err
	}
	files := map[string][]byte{config.ConfigFile: text}
	for _, name := range []string{config.TokenizerFile, config.TokenizerConf, "tokenizer.model", "special_tokens_map.json", "added_tokens.json",
		"vocab.json", "merges.txt", config.GenerationFile} {
		data, err := c.ReadFile(name)
		if err == nil {
			files[name] = data
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if files[config.GenerationFile] == nil {
		if files[config.GenerationFile], err = c.Config.GenerationJSON(); err != nil {
			return err
		}
	}
	// Older tools read the template from tokenizer_config.json, newer ones from a file of its own.
	template, err := c.chatTemplate()
	if err != nil {
		return err
	}
	if conf := files[config.TokenizerConf]; template != "" && conf != nil {
		files[config.TemplateFile] = []byte(template)
		if files[config.TokenizerConf], err = withTemplate(conf, template); err != nil {
			return err
		}
	}
	for name, data := range files {
		if err := atomicfile.Write(filepath.Join(dir, name), func(w io.Writer) error {
			_, err := w.Write(data)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}
