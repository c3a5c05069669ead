enable lab-ipvs.service
