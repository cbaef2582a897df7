package pretrained

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// adapterFile is the file that an adapter of PEFT has. Where it is, transformers loads the adapter too.
const adapterFile = "adapter_config.json"

// refuseAdapter refuses a folder with an adapter, whose weights would be left out.
func refuseAdapter(folder string) error {
	_, err := os.Lstat(filepath.Join(folder, adapterFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	return fmt.Errorf("%s: adapters are not supported: merge the adapter into its model first (merge_and_unload "+
		"of PEFT), or remove the file if the weights beside it are merged", filepath.Join(folder, adapterFile))
}
