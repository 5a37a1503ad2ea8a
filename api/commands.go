package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/lamppost-city/lamppost/telemetry"
)

// BridgeCommand asks a bridge to do something now.
type BridgeCommand struct {
	Do     string `json:"do" enum:"read,describe,log,restart" doc:"read: read one sensor now, or all; describe: look what answers on the buses; log: set the level of its log until its next start; restart: end its program in order, and start it again."`
	Sensor string `json:"sensor,omitempty" maxLength:"63" doc:"Of read: which one; all without it."`
	Level  string `json:"level,omitempty" enum:"debug,info,warn,error" doc:"Of log."`
}

// fault says what does not belong together, and in which field.
func (c *BridgeCommand) fault() (field, message string) {
	switch {
	case c.Sensor != "" && c.Do != "read":
		return "sensor", "belongs to read alone; leave it out"
	case c.Sensor != "" && telemetry.SensorID(c.Sensor).Check() != nil:
		return "sensor", telemetry.SensorID(c.Sensor).Check().Error()
	case c.Level != "" && c.Do != "log":
		return "level", "belongs to log alone; leave it out"
	case c.Level == "" && c.Do == "log":
		return "level", "is missing; use debug, info, warn or error"
	}
	return "", ""
}

// BridgeAnswer is what became of a command.
type BridgeAnswer struct {
	Do    string      `json:"do"`
	OK    bool        `json:"ok"`
	Error string      `json:"error,omitempty" doc:"Why it is not ok."`
	Buses []BridgeBus `json:"buses,omitempty" doc:"What describe has found."`
}

// BridgeBus is what was found on one bus.
type BridgeBus struct {
	ID      string         `json:"id"`
	Type    string         `json:"type" doc:"i2c, spi, gpio, onewire, serial, modbus or mqtt."`
	Device  string         `json:"device,omitempty"`
	Devices []BridgeDevice `json:"devices" nullable:"false" doc:"Those that a driver recognised."`
	Answers []string       `json:"answers,omitempty" doc:"Places where something else answers."`
	Error   string         `json:"error,omitempty" doc:"Why the bus could not be looked at."`
	Advice  string         `json:"advice,omitempty"`
}

// BridgeDevice is a device that a driver has recognised.
type BridgeDevice struct {
	Driver  string         `json:"driver"`
	Title   string         `json:"title"`
	Where   string         `json:"where"`
	Options map[string]any `json:"options,omitempty" doc:"As a sensor's settings have them."`
}

type bridgeCommandInput struct {
	ID   string `path:"id" maxLength:"63" doc:"The bridge's id as a publisher." example:"bridge-7"`
	Body BridgeCommand
}

type bridgeAnswerOutput struct {
	Body BridgeAnswer
}

// commandBridge waits for the answer as long as Bridges does.
func (s *Server) commandBridge(ctx context.Context, in *bridgeCommandInput) (*bridgeAnswerOutput, error) {
	id, err := sensorID(in.ID)
	if err != nil {
		return nil, err
	}
	if field, message := in.Body.fault(); field != "" {
		p := newProblem(http.StatusUnprocessableEntity, "body.%s: %s", field, message)
		p.Errors = []*huma.ErrorDetail{{Message: message, Location: "body." + field}}
		return nil, p
	}
	answer, err := s.deps.Bridges.Command(ctx, id, in.Body)
	if err != nil {
		return nil, s.bridgeFault(ctx, "command the bridge", id, err)
	}
	s.log.Info("bridge commanded", "bridge", string(id), "do", in.Body.Do, "ok", answer.OK)
	return &bridgeAnswerOutput{Body: answer}, nil
}
