package doctor
