package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Config fills into, a pointer to a struct with json tags, from the sandbox's
// table `config` in the configuration file. Fields that the table does not name
// keep their values, so set the defaults before. A key that the struct does not
// have is an error. A field of type time.Duration takes text such as "1m30s".
func (b *Box) Config(into any) error {
	if err := decodeConfig(b.config, into); err != nil {
		return fmt.Errorf("cannot read the config of sandbox %q: %w", b.name, err)
	}
	return nil
}

func decodeConfig(config map[string]any, into any) error {
	if config == nil {
		config = map[string]any{}
	}
	text, err := json.Marshal(config)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	return d.Decode(into)
}
