enable lab-crowd.service
