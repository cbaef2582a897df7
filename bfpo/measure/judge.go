package measure

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gomlx/compute/dtypes"

	"github.com/bfpo-go/bfpo/bfpo/evaluate/judge"
	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/graph/wheel"
)

// Names of the environment variables with the API keys of the judges that are services. A key is sent to its service
// only.
const (
	EnvOpenAIKey      = "OPENAI_API_KEY"
	EnvPerspectiveKey = "PERSPECTIVE_API_KEY"
)

// OpenJudge finds a judge by name. It returns nil for "none" and "".
//
//   - openai:URL, with settings after a #: a model behind an OpenAI-compatible endpoint (see judge.NewOpenAI), with the
//     key in $OPENAI_API_KEY if the endpoint needs one;
//   - perspective, or perspective:URL for another address of comments:analyze: the Perspective API, with the key in
//     $PERSPECTIVE_API_KEY;
//   - a model as models.Open finds it: a classifier that answers yes or no (see judge.NewClassifier). It computes in
//     bfloat16 as in the original code, or in float32 on the Go backend. Its weights are loaded for the first answer.
//
// Wrong settings are a *usage.Error. Close the judge after use.
func OpenJudge(ctx context.Context, rt models.Runtime, name string) (judge.Judge, error) {
	if name == "" || name == "none" {
		return nil, nil
	}
	cache, err := wheel.CacheDir(rt.Cache)
	if err != nil {
		return nil, err
	}
	cache = filepath.Join(cache, "judged")
	kind, address, _ := strings.Cut(name, ":")
	var opened judge.Judge
	switch kind {
	case "openai":
		opened, err = judge.NewOpenAI(ctx, judge.OpenAIOptions{Address: address, Key: os.Getenv(EnvOpenAIKey), Cache: cache})
	case "perspective":
		opened, err = judge.NewPerspective(judge.PerspectiveOptions{
			Address: address, Key: os.Getenv(EnvPerspectiveKey), Cache: cache,
		})
	default:
		opened, err = openClassifier(ctx, rt, name, cache)
	}
	if errors.Is(err, judge.ErrSettings) {
		err = &usage.Error{Err: err}
	}
	if err != nil {
		return nil, fmt.Errorf("judge: %w", err)
	}
	return opened, nil
}

// openClassifier opens a classifier model as a judge that keeps its ratings in the folder cache.
func openClassifier(ctx context.Context, rt models.Runtime, name, cache string) (classifier judge.Judge, err error) {
	checkpoint, err := models.Open(ctx, name, rt.Hub, rt.Cache, rt.Log())
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, checkpoint.Close())
		}
	}()
	tokenizer, err := models.NewChatTokenizer(ctx, checkpoint, recipe.Config{})
	if err != nil {
		return nil, err
	}
	state, err := filesIdentity(checkpoint)
	if err != nil {
		return nil, err
	}
	dtype := dtypes.BFloat16
	if rt.Device.Platform() == device.PlatformGo {
		dtype = dtypes.Float32
	}
	return judge.NewClassifier(judge.ClassifierConfig{
		Model: name, State: state, Device: rt.Device, Checkpoint: checkpoint, Tokenizer: tokenizer.Tokenizer,
		DType: dtype, Cache: cache,
	})
}
