package track

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Field numbers of tensorflow/core/util/event.proto, framework/summary.proto, framework/tensor.proto and
// tensor_shape.proto.
const (
	eventWallTime, eventStep, eventVersion, eventSummary, eventSession = 1, 2, 3, 5, 7

	summaryValue                                         = 1
	valueTag, valueSimple, valueTensor, valueMetadata    = 1, 2, 8, 9
	metadataPlugin, pluginName                           = 1, 1
	tensorType, tensorShape, tensorString, tensorTypeStr = 1, 2, 8, 7
	shapeDim, dimSize                                    = 2, 1
	sessionStatus, sessionStart                          = 1, 1
)

// EventFile writes a TensorBoard event file: scalars under transformers' names (train/loss, eval/loss) and texts.
// It encodes the few protocol buffers by hand, because the library that has them is TensorFlow itself.
type EventFile struct {
	file *os.File
}

// CreateEventFile creates a new event file in dir, and dir if it does not exist. A run that resumes after a step
// passes that step, so that TensorBoard discards what the interrupted run wrote about later steps; a new run passes
// 0.
func CreateEventFile(dir string, step int) (*EventFile, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("tensorboard: %w", err)
	}
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "localhost"
	}
	now := time.Now()
	// TensorBoard reads the files of a folder in the order of their names.
	name := fmt.Sprintf("events.out.tfevents.%d.%s.%d.%09d", now.Unix(), host, os.Getpid(), now.Nanosecond())
	file, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, fmt.Errorf("tensorboard: %w", err)
	}
	e := &EventFile{file: file}
	version := protowire.AppendTag(nil, eventVersion, protowire.BytesType)
	version = protowire.AppendString(version, "brain.Event:2")
	err = e.write(0, version)
	if err == nil && step > 0 {
		err = e.write(step+1, appendMessage(nil, eventSession, appendVarint(nil, sessionStatus, sessionStart)))
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return e, nil
}

// Track writes every value of the record as a scalar: eval_NAME becomes eval/NAME, any other NAME train/NAME.
func (e *EventFile) Track(m Metrics) error {
	record := m.Record()
	var summary []byte
	for _, v := range append(record.Values, Value{"epoch", record.Epoch}) {
		tag := "train/" + v.Name
		if rest, ok := strings.CutPrefix(v.Name, "eval_"); ok {
			tag = "eval/" + rest
		} else if record.IsEvaluation() {
			continue
		}
		value := appendText(nil, valueTag, tag)
		value = protowire.AppendTag(value, valueSimple, protowire.Fixed32Type)
		value = protowire.AppendFixed32(value, math.Float32bits(float32(v.Value)))
		summary = appendMessage(summary, summaryValue, value)
	}
	return e.write(record.Step, appendMessage(nil, eventSummary, summary))
}

// WriteText writes Markdown under a tag, at step 0. transformers writes its arguments under the tag
// "args/text_summary".
func (e *EventFile) WriteText(tag, markdown string) error {
	plugin := appendText(nil, pluginName, "text")
	tensor := appendVarint(nil, tensorType, tensorTypeStr)
	tensor = appendMessage(tensor, tensorShape, appendMessage(nil, shapeDim, appendVarint(nil, dimSize, 1)))
	tensor = appendText(tensor, tensorString, markdown)
	value := appendText(nil, valueTag, tag)
	value = appendMessage(value, valueTensor, tensor)
	value = appendMessage(value, valueMetadata, appendMessage(nil, metadataPlugin, plugin))
	return e.write(0, appendMessage(nil, eventSummary, appendMessage(nil, summaryValue, value)))
}

// Close syncs the file to disk and closes it.
func (e *EventFile) Close() error {
	if err := e.file.Sync(); err != nil {
		e.file.Close()
		return fmt.Errorf("tensorboard: %w", err)
	}
	return e.file.Close()
}

// write appends one event as a TFRecord: length, CRC of the length, data, CRC of the data, all little-endian.
func (e *EventFile) write(step int, body []byte) error {
	event := protowire.AppendTag(nil, eventWallTime, protowire.Fixed64Type)
	event = protowire.AppendFixed64(event, math.Float64bits(float64(time.Now().UnixMicro())/1e6))
	event = append(appendVarint(event, eventStep, uint64(step)), body...)
	record := binary.LittleEndian.AppendUint64(nil, uint64(len(event)))
	record = binary.LittleEndian.AppendUint32(record, maskedCRC(record))
	record = append(record, event...)
	record = binary.LittleEndian.AppendUint32(record, maskedCRC(event))
	if _, err := e.file.Write(record); err != nil {
		return fmt.Errorf("write tensorboard events: %w", err)
	}
	return nil
}

// maskedCRC is the checksum of TFRecords: CRC32-C rotated right by 15 bits, plus a constant. Without the masking a
// CRC over data that contains CRCs would be weak.
func maskedCRC(data []byte) uint32 {
	crc := crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
	return (crc>>15 | crc<<17) + 0xa282ead8
}

func appendMessage(b []byte, field protowire.Number, body []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), body)
}

func appendText(b []byte, field protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), s)
}

func appendVarint(b []byte, field protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}
