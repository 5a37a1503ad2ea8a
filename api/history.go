package api

import "context"

type figuresOutput struct{}
type historyInput struct{}
type historyOutput struct{}

func (s *Server) getFigures(context.Context, *struct{}) (*figuresOutput, error)     { return nil, nil }
func (s *Server) getHistory(context.Context, *historyInput) (*historyOutput, error) { return nil, nil }
