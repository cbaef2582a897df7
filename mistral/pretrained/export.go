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

// Export writes a Hugging Face folder: the weights in dtype (float32, bfloat16 or float16), config.json,
// generation_config.json, the tokenizer files and the chat template. The tensors in trained (float32 masters, or
// nil) come from the device, all others from c.
//
// The folder appears under its name when it is complete and on disk; an error, such as a full disk, leaves nothing
// behind. A folder that Export wrote before is replaced; it is an error if dir is any other folder with files in
// it, or if somebody added a file to it. A link to a folder stays a link.
func Export(dir string, c *Model, trained *device.TensorSet, dtype dtypes.DType) error {
	if err := export(filepath.Clean(dir), c, trained, dtype); err != nil {
		return fmt.Errorf("export to %s: %w", dir, err)
	}
	return nil
}

func export(dir string, c *Model, trained *device.TensorSet, dtype dtypes.DType) (err error) {
	dir, err = followLink(dir)
	if err != nil {
		return err
	}
	if err := CheckReplaceable(dir); err != nil {
		return err
	}
	if err := c.CheckTensors(); err != nil {
		return err
	}
	if err := c.CheckExport(); err != nil {
		return err
	}
	sources, err := tensorSources(c, trained, dtype)
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
	if err := writeSmallFiles(temp, c, dtype, trained != nil); err != nil {
		return err
	}
	if err := writeShards(temp, sources, maxShardBytes); err != nil {
		return err
	}
	return atomicfile.CommitFolder(temp, dir)
}

// followLink returns the folder to which a link leads, or dir itself if it is none.
func followLink(dir string) (string, error) {
	info, err := os.Lstat(dir)
	if err != nil || info.Mode()&fs.ModeSymlink == 0 {
		return dir, nil // Export makes a folder that does not exist
	}
	return filepath.EvalSymlinks(dir)
}

// tensorSources describes the weights to be written, in the order of Config.Tensors.
func tensorSources(c *Model, trained *device.TensorSet, dtype dtypes.DType) ([]safetensors.Source, error) {
	if !slices.Contains([]dtypes.DType{dtypes.Float32, dtypes.BFloat16, dtypes.Float16}, dtype) {
		return nil, fmt.Errorf("dtype %s is not supported (supported: float32, bfloat16, float16)", dtype)
	}
	specs := c.Config.Tensors()
	if trained == nil {
		trained = &device.TensorSet{}
	}
	for i, name := range trained.Names {
		at := slices.IndexFunc(specs, func(s config.TensorSpec) bool { return s.Name == name })
		if at < 0 {
			return nil, fmt.Errorf("trained tensor %s: the model has no such tensor", name)
		}
		if shape := trained.Shape(i); shape.DType != dtypes.Float32 || !slices.Equal(shape.Dimensions, specs[at].Dims) {
			return nil, fmt.Errorf("trained tensor %s: %s, want float32 %v", name, shape, specs[at].Dims)
		}
	}
	sources := make([]safetensors.Source, len(specs))
	for i, spec := range specs {
		sources[i] = safetensors.Source{Name: spec.Name, DType: dtype, Dims: spec.Dims, Data: func() ([]byte, error) {
			t, err := trainedOrLoaded(c, trained, spec)
			if err != nil {
				return nil, err
			}
			return convertFinite(t, dtype)
		}}
	}
	return sources, nil
}

// CheckExport returns an error if config.json cannot describe the network, so that no model can be exported.
func (c *Model) CheckExport() error {
	_, err := c.Config.JSON(dtypeName(dtypes.Float32))
	return err
}

// convertFinite converts a tensor for export. It refuses values that are NaN or infinite, or become so.
func convertFinite(t safetensors.Tensor, dtype dtypes.DType) ([]byte, error) {
	data, err := ConvertCopy(t, dtype, nil)
	if err != nil {
		return nil, fmt.Errorf("tensor %s: %w", t.Name, err)
	}
	out := safetensors.Tensor{Name: t.Name, DType: dtype, Dims: t.Dims, Bytes: data}
	if err := out.CheckFinite(); err != nil {
		if source := (safetensors.Tensor{Name: t.Name, DType: t.DType, Bytes: t.Bytes}); source.CheckFinite() == nil {
			return nil, fmt.Errorf("%w as %s: choose another torch_dtype", err, dtypeName(dtype))
		}
		return nil, fmt.Errorf("%w: the weights have diverged", err)
	}
	return data, nil
}

// trainedOrLoaded returns a tensor as it is after training: the trained tensor if there is one, else c's.
func trainedOrLoaded(c *Model, trained *device.TensorSet, spec config.TensorSpec) (safetensors.Tensor, error) {
	at := trained.Index(spec.Name)
	if at < 0 {
		t, err := c.Tensor(spec.Name)
		if err == nil {
			err = c.CheckUnchanged(t)
		}
		return t, err
	}
	data, err := trained.Download(at)
	if err != nil {
		return safetensors.Tensor{}, fmt.Errorf("tensor %s: %w", spec.Name, err)
	}
	return safetensors.Tensor{Name: spec.Name, DType: dtypes.Float32, Dims: spec.Dims, Bytes: data}, nil
}

// dtypeName returns the name of a dtype in config.json.
func dtypeName(dtype dtypes.DType) string {
	names := map[dtypes.DType]string{
		dtypes.Float32: "float32", dtypes.BFloat16: "bfloat16", dtypes.Float16: "float16",
	}
	return names[dtype]
}

// writeSmallFiles writes all files but the weights. Those of a trained model name the tokens that end its answers.
func writeSmallFiles(dir string, c *Model, dtype dtypes.DType, trained bool) error {
	var taught []int32
	if trained {
		taught = c.taughtEnds
	}
	conf := c.Config.WithEndTokens(taught)
	text, err := conf.JSON(dtypeName(dtype))
	if err != nil {
		return err
	}
	files := map[string][]byte{config.ConfigFile: text}
	for _, name := range exportedFiles() {
		data, err := c.ReadFile(name)
		if err == nil {
			files[name] = data
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if files[config.GenerationConfigFile] == nil {
		if files[config.GenerationConfigFile], err = conf.GenerationJSON(); err != nil {
			return err
		}
	}
	if files[config.GenerationConfigFile], err = c.Config.AlignGeneration(filepath.Join(c.Path,
		config.GenerationConfigFile), files[config.GenerationConfigFile], taught); err != nil {
		return err
	}
	// Older tools read the template from tokenizer_config.json, newer tools from chat_template.jinja.
	template, err := c.chatTemplate()
	if err != nil {
		return err
	}
	if name := config.TokenizerConfigFile; template != "" && files[name] != nil {
		files[config.ChatTemplateFile] = []byte(template)
		if files[name], err = withKey(c.ReadFile, name, "chat_template", template); err != nil {
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
